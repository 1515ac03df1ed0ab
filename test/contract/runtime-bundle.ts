import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerConfig } from '../../src/model/container.ts';
import { sampleContainer } from '../../src/model/testing.ts';
import { createContainer, readExit } from '../../src/runtime/monitor.ts';
import { resolveUser } from '../../src/runtime/passwd.ts';
import { openRuntime } from '../../src/runtime/runtime.ts';
import { hostFacts } from '../../src/runtime/spec/host.ts';
import { seccompFor } from '../../src/runtime/spec/seccomp.ts';
import { buildSpec, writeSpec } from '../../src/runtime/spec.ts';
import { SAMPLE_FACTS } from '../../src/runtime/testing.ts';
import type { ContainerExit, MonitoredContainer, OciRuntime, SpecFacts } from '../../src/runtime/types.ts';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { allPids, commandOf } from '../../src/system/procfs.ts';
import { bundleDirectory, type StorePaths } from '../../src/system/store-paths.ts';
import { imageArchive } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';

/** A container made of nothing but an OCI bundle: what the runtimes' contract is tested on. */
export interface Bundle {
  readonly id: string;
  readonly store: StorePaths;
  readonly runtime: OciRuntime;
  readonly config: ContainerConfig;
  readonly facts: SpecFacts;
  readonly directory: string;
  readonly rootfs: string;
  /** For CRIU's images. */
  readonly images: string;
  /** argv for conmon; it makes the file that {@link exitCommandRan} looks for. */
  readonly exitCommand: readonly string[];
  readonly create: () => Promise<MonitoredContainer>;
  /** create and start. */
  readonly run: () => Promise<MonitoredContainer>;
  readonly exit: () => Promise<ContainerExit>;
  readonly exitCommandRan: () => Promise<boolean>;
  readonly log: () => string;
  /** Content of a file of the container's; empty while there is none. */
  readonly file: (path: string) => string;
}

/**
 * Gives `work` a busybox container that was not created yet, in a store whose paths are longer than the address of a
 * unix socket may be. Afterwards nothing of it may run.
 */
export async function withBundle(
  runtimeName: string,
  config: Partial<ContainerConfig>,
  work: (bundle: Bundle) => Promise<void>,
): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'cryopod-runtime-'));
  const deep = join(base, 'a-directory-name-that-is-long'.repeat(4));
  const store: StorePaths = { root: join(deep, 'root'), runroot: join(deep, 'run') };
  const bundle = await makeBundle(store, runtimeName, config);
  try {
    await work(bundle);
  } finally {
    await bundle.runtime.delete(bundle.id, { force: true });
    const gone = await waitFor(() => !allPids().some((pid) => commandOf(pid).includes(bundle.id)), LIMIT_MS);
    await rm(base, { recursive: true, force: true });
    assert.equal(gone, true, 'processes of the container are left');
  }
}

async function makeBundle(
  store: StorePaths,
  runtimeName: string,
  over: Partial<ContainerConfig>,
): Promise<Bundle> {
  const id = randomBytes(32).toString('hex');
  const directory = bundleDirectory(store, id);
  const rootfs = join(directory, 'rootfs');
  const images = join(directory, 'checkpoint');
  for (const path of [rootfs, images]) await mkdir(path, { recursive: true });
  await runOk(['tar', '-xf', await imageArchive('busybox'), '-C', rootfs], 'unpack busybox');
  const { config } = sampleContainer({ id, logPath: join(directory, 'ctr.log'), ...over });
  const facts: SpecFacts = {
    ...SAMPLE_FACTS,
    host: hostFacts(),
    rootfs,
    user: resolveUser(rootfs, config.user),
    shm: undefined,
    files: {},
    namespaces: { network: 'private', pid: 'private', ipc: 'private', uts: 'private' },
    seccomp: await seccompFor(config.security),
  };
  await writeSpec(directory, buildSpec(config, facts).spec);
  const runtime = openRuntime(store, runtimeName, { cgroupManager: 'cgroupfs' });
  const mark = join(store.runroot, 'exit-command-ran');
  const exitCommand = ['/usr/bin/touch', mark];
  const create = (): Promise<MonitoredContainer> => createContainer({ store, runtime, config, exitCommand });
  const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return {
    ...{ id, store, runtime, config, facts, directory, rootfs, images, exitCommand, create },
    run: async () => {
      const made = await create();
      await runtime.start(id);
      return made;
    },
    exit: async () => (await waitFor(() => readExit(store, id), LIMIT_MS)) ?? assert.fail('no exit file'),
    exitCommandRan: async () => (await waitFor(() => existsSync(mark), LIMIT_MS)) ?? false,
    log: () => read(config.logPath),
    file: (path) => read(join(rootfs, path)),
  };
}
