import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { imageName } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { tag } from '../system/history-support.ts';
import { type Engine, openPodmanPeer } from './podman-peer.ts';

/** As in the other exchanges: limits that a host without CAP_SYS_RESOURCE allows. */
const LIMITS = ['--ulimit', 'nproc=1024:1024', '--ulimit', 'nofile=1024:1024'];

/** The count is memory of the shell alone. */
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i > /count.new; mv /count.new /count; sleep 0.05; done';

async function countOf(engine: Engine, above: number): Promise<number> {
  const count = await waitFor(async () => {
    const now = Number(await engine.ok(['exec', 'c', 'cat', '/count']));
    return now > above ? now : undefined;
  }, LIMIT_MS);
  assert.ok(count !== undefined, `it counts on, above ${above}`);
  return count;
}

test('podman goes on from an archive of a checkpoint in the middle of a history', async (t) => {
  await withSandbox(async (box) => {
    const podman = await openPodmanPeer(join(box.directory, 'podman'));
    if (podman === undefined) return t.skip('podman is not installed');
    try {
      const image = join(box.directory, 'image.tar');
      await box.ok(['save', '--quiet', '--output', image, imageName('busybox')]);
      await podman.ok(['load', '--quiet', '--input', image]);
      await box.ok(['run', '-d', '--name', 'c', ...LIMITS, imageName('busybox'), 'sh', '-c', COUNT]);
      await tag(box, 'c', 'one');
      await box.ok(['exec', 'c', 'sh', '-c', 'echo two > /which; rm /usr/bin/vi']);
      const before = await countOf(box, 0);
      await tag(box, 'c', 'two');
      const after = await countOf(box, before);
      await box.ok(['exec', 'c', 'sh', '-c', 'echo three > /which']);
      await tag(box, 'c', 'three');
      const archive = join(box.directory, 'two.tar.zst');
      await box.ok(['checkpoint', 'export', 'c@two', '--output', archive]);
      await box.ok(['rm', '--force', '--time', '0', 'c']);
      await podman.ok(['container', 'restore', '--import', archive]);
      assert.equal(
        await podman.ok(['exec', 'c', 'sh', '-c', 'cat /which; ls /usr/bin/vi 2>/dev/null || true']),
        'two',
      );
      const resumed = await countOf(podman, 0);
      assert.ok(resumed >= before, `it has begun anew: ${resumed} after ${before}`);
      await countOf(podman, Math.max(resumed, after));
    } finally {
      await podman.close();
    }
  });
});
