import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountTree } from '../src/system/mounts.ts';
import { childEnvironment, findProgram } from '../src/system/tools.ts';
import { imageArchive, imageName, type Profile } from '../test/fixtures/images.ts';
import type { Engine, Finished } from './measure.ts';

/** GNU time: the largest resident set among the command and what it waited for, which Node does not tell of its children. */
const TIME = ['/usr/bin/time', '--format', '%M', '--output'];

/** Limits that a host without CAP_SYS_RESOURCE allows as well; podman's own defaults are higher. */
const PODMAN_CONFIG = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';

export interface OpenEngine extends Engine {
  /** argv and environment of its program, with the options for its store. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** cryopod as it is in this checkout; `CRYOPOD_BIN` names another one. */
export async function openCryopod(directory: string): Promise<OpenEngine> {
  const program = process.env.CRYOPOD_BIN ?? join(import.meta.dirname, '../bin/cryopod');
  const store = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  return await open({ name: 'cryopod', isPeer: false, directory, command: [program, ...store], env: {} });
}

/**
 * A podman on the same runtime, CRIU (found in the same PATH), cgroup manager and file system. `prefix`: argv of what runs
 * it, such as nsenter.
 */
export async function openPodman(
  directory: string,
  wanted: string,
  prefix: readonly string[] = [],
): Promise<OpenEngine> {
  const program = findProgram(wanted);
  if (program === undefined)
    throw new Error(`no podman at ${wanted}: run sh scripts/setup.sh test, or name one with --peer`);
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'containers.conf');
  await writeFile(config, PODMAN_CONFIG);
  const options = [
    ...[
      '--root',
      join(directory, 'root'),
      '--runroot',
      join(directory, 'run'),
      '--tmpdir',
      join(directory, 'tmp'),
    ],
    ...['--network-config-dir', join(directory, 'networks'), '--storage-driver', 'overlay'],
    ...['--cgroup-manager=cgroupfs', '--events-backend=file', '--runtime', 'runc'],
  ];
  const env = { CONTAINERS_CONF: config };
  const { stdout } = await finish([program, '--version'], join(directory, 'peak'), env);
  const name = stdout.trim().replace(/ version /, ' ');
  return await open({ name, isPeer: true, directory, command: [...prefix, program, ...options], env });
}

interface Opening extends Pick<Engine, 'name' | 'isPeer' | 'directory'> {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function open({ command, env, ...engine }: Opening): Promise<OpenEngine> {
  const { directory } = engine;
  await mkdir(directory, { recursive: true });
  const imported = new Set<Profile>();
  const run: Engine['run'] = (args) => finish([...command, ...args], join(directory, 'peak'), env);
  return {
    ...engine,
    command,
    env,
    run,
    image: async (profile) => {
      const name = imageName(profile);
      if (!imported.has(profile)) await run(['import', '--quiet', await imageArchive(profile), name]);
      imported.add(profile);
      return name;
    },
    close: async () => {
      await run(['rm', '--force', '--all', '--time', '0', '--volumes']);
      await run(['network', 'prune', '--force']);
      await unmountTree(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function finish(
  command: readonly string[],
  peakFile: string,
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  const [program = '', ...args] = [...TIME, peakFile, '--', ...command];
  const begun = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...childEnvironment(), ...env },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject).once('exit', (code) => resolve(code ?? -1));
  const texts = Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const code = await promise;
  const took = performance.now() - begun;
  const [stdout, stderr] = await texts;
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr.trim()}`);
  const peak = Number((await readFile(peakFile, 'utf8')).trim().split('\n').at(-1)) * 1024;
  return { stdout: stdout.trim(), took, peak };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
