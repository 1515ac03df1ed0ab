import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { IMAGE_MAGIC } from './images.ts';
import { type SeccompOfThreads, seccompOfThreads, type ThreadSeccomp } from './seccomp-filters.ts';
import { type Fields, imageOf, message } from './view/testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-seccomp-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** One process with the number 1 and a second thread with the number 2; filters as bytes, previous, flags. */
async function judged(
  filters: readonly (readonly [byte: number, previous?: number | undefined, flags?: number])[],
  ...threads: readonly Partial<ThreadSeccomp>[]
): Promise<SeccompOfThreads> {
  const entry: Fields = filters.map(([byte, previous, flags]) => [
    1,
    message([
      [1, Buffer.of(byte)],
      ...(previous === undefined ? [] : [[2, previous] as const]),
      ...(flags === undefined ? [] : [[3, flags] as const]),
    ]),
  ]);
  writeFileSync(join(directory, 'seccomp.img'), imageOf(IMAGE_MAGIC.seccomp, message(entry)));
  const process = message([
    [1, 1],
    [2, 0],
    [3, 1],
    [4, 1],
    [5, 1],
    [5, 2],
  ]);
  writeFileSync(join(directory, 'pstree.img'), imageOf(IMAGE_MAGIC.pstree, process));
  const none = { mode: undefined, filter: undefined, taskMode: undefined, taskFilter: undefined };
  const numbered = threads.map((thread, at) => [at + 1, { ...none, ...thread }] as const);
  const found = await seccompOfThreads(directory, ['seccomp.img', 'pstree.img'], new Map(numbered));
  return { ...found, filters: found.filters.map((set) => set.map((one) => Buffer.from(one))) };
}

const set = (...bytes: number[]): Buffer[] => bytes.map((byte) => Buffer.of(byte));

test('a thread has its filter and those before it', async () => {
  const found = await judged([[1], [2, 0], [3]], { mode: 2, filter: 1 });
  assert.deepEqual(found, { unfiltered: false, filters: [set(2, 1)] });
});

test("a thread without a filter has its leader's where that is for all threads", async () => {
  const leader = { mode: 2, filter: 0 };
  assert.deepEqual(await judged([[1, undefined, 1]], leader, {}), { unfiltered: false, filters: [set(1)] });
  assert.equal((await judged([[1]], leader, {})).unfiltered, true);
  const old = { taskMode: 2, taskFilter: 0 };
  assert.deepEqual(await judged([[1]], old, {}), { unfiltered: false, filters: [set(1)] });
});

test("a process's mode of old images counts more than that of its thread", async () => {
  assert.equal((await judged([[1]], { mode: 2, filter: 0, taskMode: 0 })).unfiltered, true);
  const other = await judged([[1], [2]], { mode: 2, filter: 0, taskFilter: 1 });
  assert.deepEqual(other.filters, [set(2)]);
});

test('no filter is one that the images lack; the strict mode needs none; a circle of filters ends', async () => {
  assert.equal((await judged([[1]], { mode: 2, filter: 5 })).unfiltered, true);
  assert.deepEqual(await judged([], { mode: 1 }), { unfiltered: false, filters: [] });
  assert.equal((await judged([[1, 0]], { mode: 2, filter: 0 })).unfiltered, false);
});
