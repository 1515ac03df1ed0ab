import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfigDump } from '../../src/engine/plan/config-dump/read.ts';
import type { ContainerConfig } from '../../src/model/container.ts';
import { findContainer } from '../../src/state/containers.ts';
import { openDatabase } from '../../src/state/database.ts';
import { runOk } from '../../src/system/process.ts';
import { openPodman, type Podman } from '../contract/podman.ts';
import { IMAGE, type Sandbox, withSandbox } from '../contract/support.ts';

const OPTIONS = [
  ...['--network', 'none', '--label', 'a=b', '-e', 'FOO=bar', '--user', '1000:1000', '--workdir', '/tmp'],
  ...['-v', 'data:/data', '-v', '/anonymous', '--tmpfs', '/scratch:size=1m', '--hostname', 'box'],
  ...[
    '--memory',
    '64m',
    '--pids-limit',
    '50',
    '--shm-size',
    '1m',
    '--stop-signal',
    'INT',
    '--stop-timeout',
    '3',
  ],
  ...['--cap-drop', 'CAP_KILL', '--security-opt', 'no-new-privileges', '--annotation', 'mine=1', '-t'],
];

const podmanOk = (podman: Podman, ...args: string[]): string => {
  const { code, stdout, stderr } = podman.run(args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
};

/** The metadata of a checkpoint archive of podman's of the container. */
async function podmanMetadata(podman: Podman, box: Sandbox, name: string): Promise<[string, string]> {
  const archive = join(box.directory, 'archive.tar');
  podmanOk(podman, 'container', 'checkpoint', '--compress', 'none', '--export', archive, name);
  await runOk(['tar', '-C', box.directory, '-xf', archive, 'config.dump', 'spec.dump'], 'unpack');
  const read = (file: string): Promise<string> => readFile(join(box.directory, file), 'utf8');
  return [await read('config.dump'), await read('spec.dump')];
}

/** What two engines settle differently for the same options, and what is named anew in each. */
function comparable(config: Omit<ContainerConfig, 'layers'>) {
  const { id, created, createCommand, logPath, imageId, security, ...rest } = config;
  return {
    ...rest,
    // podman 4 gives every container three more capabilities.
    security: { ...security, capAdd: [], seccomp: undefined, apparmor: undefined },
    env: config.env.filter((entry) => !/^(?:HOME|PATH|TERM)=/.test(entry)),
    mounts: config.mounts
      .map(({ source, options, ...mount }) => ({
        ...mount,
        source: mount.anonymous === true ? '' : source,
        // podman's defaults.
        options: options.filter((option) => !/^no(?:suid|dev)$/.test(option)),
      }))
      .toSorted((a, b) => (a.destination < b.destination ? -1 : 1)),
  };
}

/** Leaves out fields that are undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('Metadata of podman’s archive describe the container that cryopod makes of the same options', async (t) => {
  await withSandbox(async (box) => {
    const podman = openPodman(box.archive, IMAGE);
    if (podman === undefined) return t.skip('podman is not installed');
    t.after(podman.close);
    podmanOk(podman, 'run', '-d', '--name', 'c', ...OPTIONS, IMAGE, 'sleep', '1000');
    await box.ok(['run', '-d', '--name', 'c', ...OPTIONS, IMAGE, 'sleep', '1000']);
    const { config, risks, dropped } = readConfigDump(...(await podmanMetadata(podman, box, 'c')));
    const db = openDatabase(join(box.root, 'state.db'));
    const { layers: _layers, ...own } = findContainer(db, 'c').config;
    db.close();
    assert.deepEqual(plain(comparable(config)), plain(comparable(own)));
    assert.deepEqual([risks, dropped], [[], []]);
  });
});

/** What CRIU finds by its place: mounts from outside. Files of the kernel that are masked are no such mounts. */
const mountPoints = (mounts: string): string[] =>
  mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path !== '' && !/^\/(?:proc|sys)\//.test(path))
    .toSorted();

test('Containers of podman and cryopod have the same mounts, and a / of the same mode', async (t) => {
  await withSandbox(async (box) => {
    const podman = openPodman(box.archive, IMAGE);
    if (podman === undefined) return t.skip('podman is not installed');
    t.after(podman.close);
    for (const extra of [[], ['--read-only'], ['--tmpfs', '/run']]) {
      const run = ['run', '--rm', '--network', 'host', '-v', '/a', ...extra, IMAGE, 'sh', '-c'];
      const theirs = podmanOk(podman, ...run, 'cat /proc/mounts');
      assert.deepEqual(
        mountPoints(await box.ok([...run, 'cat /proc/mounts'])),
        mountPoints(theirs),
        extra.join(' '),
      );
      const mode = 'stat -c %a /';
      assert.equal(await box.ok([...run, mode]), podmanOk(podman, ...run, mode));
    }
  });
});
