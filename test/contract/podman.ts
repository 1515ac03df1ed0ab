import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childEnvironment, findProgram } from '../../src/system/tools.ts';

/** podman itself on a store of its own, where it is installed: the words to compare with. */
export interface Podman {
  readonly run: (args: readonly string[]) => {
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  };
  readonly close: () => void;
}

/** Limits that a host without CAP_SYS_RESOURCE allows as well; podman's own defaults are higher. */
const CONFIG = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';

/** Undefined where podman is not installed. `archive` is a root file system that becomes the image `name`. */
export function openPodman(archive: string, name: string): Podman | undefined {
  const program = findProgram('podman');
  if (program === undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-podman-'));
  const config = join(directory, 'containers.conf');
  writeFileSync(config, CONFIG);
  const options = [
    ...[
      '--root',
      join(directory, 'root'),
      '--runroot',
      join(directory, 'run'),
      '--tmpdir',
      join(directory, 'tmp'),
    ],
    ...['--cgroup-manager=cgroupfs', '--events-backend=file', '--runtime', 'runc'],
  ];
  const run: Podman['run'] = (args) => {
    const { status, stdout, stderr } = spawnSync(program, [...options, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...childEnvironment(), CONTAINERS_CONF: config },
    });
    return { code: status ?? -1, stdout, stderr };
  };
  run(['import', '--quiet', archive, name]);
  return {
    run,
    close: () => {
      run(['rm', '--force', '--all', '--time', '0']);
      // podman unmounts its graph root itself.
      run(['system', 'reset', '--force']);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The words of an error: its first `Error: ` line, with IDs and paths of the store made equal. */
export function errorWords(stderr: string): string {
  const line = stderr.split('\n').find((text) => text.startsWith('Error: ')) ?? '';
  return line.replace(/\b[0-9a-f]{64}\b/g, 'ID');
}
