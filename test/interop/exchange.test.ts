import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { imageName } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { type Engine, openPodmanPeer, type PodmanPeer } from './podman-peer.ts';
import { NETWORK, SUBNET, WORKLOADS, type Workload } from './workloads.ts';

for (const workload of WORKLOADS) {
  test(`${workload.name}: an archive of cryopod goes on in podman, and one of podman in cryopod`, async (t) => {
    await withSandbox(
      async (box) => {
        const podman = await openPodmanPeer(join(box.directory, 'podman'));
        if (podman === undefined) return t.skip('podman is not installed');
        try {
          await exchange(t, box, podman, workload);
        } finally {
          await podman.close();
        }
      },
      { images: [workload.profile] },
    );
  });
}

async function exchange(t: TestContext, box: Sandbox, podman: PodmanPeer, workload: Workload): Promise<void> {
  const image = join(box.directory, 'image.tar');
  await box.ok(['save', '--quiet', '--output', image, imageName(workload.profile)]);
  await podman.ok(['load', '--quiet', '--input', image]);
  // Before any container: each engine refuses a subnet that the host has an interface in.
  for (const engine of [box, podman]) await engine.ok(['network', 'create', '--subnet', SUBNET, NETWORK]);
  for (const [way, from, to] of [
    ['from cryopod to podman', box, podman],
    ['from podman to cryopod', podman, box],
  ] as const) {
    await t.test(way, () => move(workload, from, to, join(box.directory, 'archive.tar.zst')));
  }
}

/**
 * podman lowers its own limit of processes to kernel.pid_max, and then cannot exec in a container with a higher one
 * where it lacks CAP_SYS_RESOURCE.
 */
const LIMITS = ['--ulimit', 'nproc=1024:1024', '--ulimit', 'nofile=1024:1024'];

/** Runs the workload in one engine, and lets it go on in the other one from an archive of the former. */
async function move(workload: Workload, from: Engine, to: Engine, archive: string): Promise<void> {
  const { name, profile, options, command } = workload;
  await from.ok(['run', '-d', '--name', name, ...LIMITS, ...options, imageName(profile), ...command]);
  await workload.prepare(from);
  const before = await workload.keep(from);
  const reached = await workload.progress(from);
  await from.ok(['container', 'checkpoint', '--export', archive, name]);
  await discard(from, name);

  await to.ok(['container', 'restore', '--import', archive]);
  assert.deepEqual(await workload.keep(to), before);
  const resumed = await workload.progress(to);
  assert.ok(resumed >= reached, `${name} has begun anew: ${resumed} after ${reached}`);
  const grows = await waitFor(async () => (await workload.progress(to)) > resumed, LIMIT_MS);
  assert.ok(grows, `${name} stands still at ${resumed}`);
  assert.equal(
    await to.ok(['inspect', '--format', '{{.State.Running}} {{.State.Restored}}', name]),
    'true true',
  );
  await discard(to, name);
}

/** With its volumes, named ones too, which an archive brings along. */
async function discard(engine: Engine, name: string): Promise<void> {
  await engine.ok(['rm', '--force', '--time', '0', '--volumes', name]);
  await engine.ok(['volume', 'rm', '--all', '--force']);
}
