import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/system/process.ts';
import { childEnvironment, findProgram } from '../../src/system/tools.ts';

/** What a test does with either engine. */
export interface Engine {
  /** Runs a command that must end with status 0; returns its stdout without white space around it. */
  readonly ok: (args: readonly string[]) => Promise<string>;
}

export interface PodmanPeer extends Engine {
  /** Removes what is left in the store, and the store. Fails the test where that fails. */
  readonly close: () => Promise<void>;
}

/** For an exchange with another podman than the host's, by hand. */
const PODMAN_ROOT = process.env.CRYOPOD_PODMAN_ROOT ?? '';

/** Where podman keeps its store by default, and what archives name as the place of their volumes. */
const STORE = '/var/lib/containers';

/** Limits that a host without CAP_SYS_RESOURCE allows as well; podman's own defaults are higher. */
const CONFIG = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';

/**
 * podman with its default store, which is an empty one: it runs in a mount namespace where `directory` lies over the
 * host's store. podman restores volumes at the place that the archive names, and cryopod's archives name the default.
 * Call it before there are mounts that the test wants to be rid of again. Undefined where podman is not installed.
 */
export async function openPodmanPeer(directory: string): Promise<PodmanPeer | undefined> {
  const program = findProgram('podman');
  if (program === undefined) return undefined;
  const dirs = ['store', 'run', 'tmp', 'networks', 'shm'].map((name) => join(directory, name));
  for (const path of dirs) await mkdir(path, { recursive: true, mode: 0o700 });
  const config = join(directory, 'containers.conf');
  await writeFile(config, CONFIG);
  const hadStore = existsSync(STORE);
  if (!hadStore) await mkdir(STORE, { mode: 0o700 });
  const keeper = await keepNamespace(directory);
  const command = [
    ...['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`, 'env', `CONTAINERS_CONF=${config}`, program],
    ...['--runroot', join(directory, 'run'), '--tmpdir', join(directory, 'tmp')],
    ...['--network-config-dir', join(directory, 'networks'), '--storage-driver', 'overlay'],
    ...['--cgroup-manager=cgroupfs', '--events-backend=file', '--runtime', 'runc'],
  ];
  const ok: Engine['ok'] = async (args) => {
    const { code, stdout, stderr } = await run([...command, ...args]);
    assert.equal(code, 0, `podman ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  const close = async (): Promise<void> => {
    try {
      await ok(['rm', '--force', '--all', '--time', '0', '--volumes']);
      await ok(['volume', 'rm', '--all', '--force']);
      await ok(['network', 'prune', '--force']);
      // netavark leaves its table behind, empty, where it uses nftables (since 1.11).
      await run(['nft', 'delete', 'table', 'inet', 'netavark']);
    } finally {
      // Its mounts go with the last process of the namespace.
      const ended = once(keeper, 'close');
      keeper.stdin?.end();
      await ended;
      await rm(directory, { recursive: true, force: true });
      if (!hadStore) await rmdir(STORE);
    }
  };
  return { ok, close };
}

/**
 * Lays the store over the host's, and a /dev/shm of its own where podman keeps its locks; $1 is the directory. $2 is the
 * root directory of unpacked packages whose programs and libraries stand for the host's: another podman, with all it needs
 * (`fetch_closure` in scripts/setup/closure.sh makes such a one). Empty for the host's podman.
 */
const LAY_OVER = `
  if [ -n "$2" ]; then mount -t overlay overlay -o "ro,lowerdir=$2/usr:/usr" /usr || exit; fi
  mount --bind "$1/store" ${STORE} && mount --bind "$1/shm" /dev/shm && echo ready && exec cat`;

/** A process that keeps the mount namespace until its stdin is closed, so that it ends with the test in any case. */
async function keepNamespace(directory: string): Promise<ChildProcess> {
  const unshare = ['--mount', '--propagation', 'slave', 'sh', '-c', LAY_OVER, 'sh', directory, PODMAN_ROOT];
  const child = spawn('unshare', unshare, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: childEnvironment(),
  });
  const begun = await Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'close')]);
  assert.equal(begun, true, 'podman gets a mount namespace');
  return child;
}
