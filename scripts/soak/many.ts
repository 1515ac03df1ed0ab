import assert from 'node:assert/strict';
import { withSandbox } from '../../test/fixtures/sandbox.ts';
import { lastNumber } from '../../test/load/last-number.ts';

const IMAGE = 'localhost/busybox:latest';
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done';

const seconds = (begun: number): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`;

/**
 * Freezes and thaws so many containers with --all, one at a time and with the default degree, with one among them that
 * cannot be frozen: the others are, results come in order, and every container counts on from where it was.
 */
export async function soakMany(count: number): Promise<void> {
  console.log(`many: ${count} containers and one that cannot be frozen`);
  await withSandbox(async (box) => {
    const start = (name: string, ...options: string[]): Promise<string> =>
      box.ok(['run', '-d', '--name', name, ...options, IMAGE, 'sh', '-c', COUNT]);
    const ids: string[] = [];
    const middle = Math.floor(count / 2);
    for (let index = 0; index < count; index += 1) {
      ids.push(await start(`box-${index}`));
      // Of a container that removes itself no checkpoint could stay.
      if (index === middle) await start('fails', '--rm');
    }
    for (const jobs of [['--jobs', '1'], []]) {
      const before = await Promise.all(ids.map((id) => lastNumber(box, id)));
      let begun = performance.now();
      const frozen = await box.cryopod(['container', 'checkpoint', '--all', ...jobs]);
      const freezing = seconds(begun);
      assert.equal(frozen.code, 125);
      assert.deepEqual(frozen.stdout.trim().split('\n'), ids);
      assert.equal(frozen.stderr.split('\n').filter((line) => line.startsWith('Error: ')).length, 1);
      begun = performance.now();
      assert.deepEqual((await box.ok(['container', 'restore', '--all', ...jobs])).split('\n'), ids);
      const thawing = seconds(begun);
      for (const [index, id] of ids.entries()) {
        assert.ok((await lastNumber(box, id)) >= (before[index] ?? 0), `${id} counts on`);
      }
      const degree = jobs[1] === undefined ? 'by default' : 'one at a time';
      console.log(`${degree}: checkpoint --all ${freezing}, restore --all ${thawing}`);
    }
  });
}
