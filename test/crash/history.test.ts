import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isHeld } from '../../src/network/hold.ts';
import { waitFor } from '../../src/system/clock.ts';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { netnsPath, volumesDirectory } from '../../src/system/store-paths.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { historyOf } from '../system/history-support.ts';
import { leftovers, status, unfinished } from './support.ts';

/** A file system that is full fails as one with a bad disk does. */
const ACTIONS = ['kill', 'enospc'] as const;

/** The counter is memory of the shell; what it has come to lies in the container and in a volume. */
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i > /count; echo $i > /data/count; sleep 0.05; done';
const RUN = ['run', '-d', '--name', 'c', '-v', 'data:/data'];
const PROGRAM = ['localhost/busybox:latest', 'sh', '-c', COUNT];

const counts = async (box: Sandbox): Promise<[number, number]> => {
  const found = await waitFor(async () => {
    const { stdout } = await box.cryopod(['exec', 'c', 'sh', '-c', 'cat /count /data/count']);
    const [own = Number.NaN, volume = Number.NaN] = stdout.trim().split('\n').map(Number);
    return own > 0 && volume > 0 ? ([own, volume] as const) : undefined;
  }, 10_000);
  assert.ok(found !== undefined, 'it counts');
  return [...found];
};

/** It runs, is not frozen, its packets flow, and memory, files and volume are of one moment. */
async function assertGoesOn(box: Sandbox): Promise<number> {
  assert.equal(await status(box), 'running:false');
  const [before] = await counts(box);
  const later = await waitFor(async () => {
    const [now] = await counts(box);
    return now > before ? now : undefined;
  }, 10_000);
  assert.ok(later !== undefined, `it counts on, above ${before}`);
  const [own, volume] = await counts(box);
  assert.ok(Math.abs(own - volume) <= 2, `files and volume are of one moment: ${own}, ${volume}`);
  const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
  assert.equal(await isHeld(netnsPath(box, id)), false, 'its packets flow');
  return later;
}

/** Every checkpoint of the history is as it was written, and nothing else lies there. */
async function assertHistory(box: Sandbox, names: readonly string[]): Promise<void> {
  const all = await historyOf(box);
  assert.deepEqual(
    all.map(({ Name, Status }) => [Name, Status]),
    names.map((name) => [name, 'complete']),
  );
  await box.ok(['checkpoint', 'verify', 'c']);
  const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
  const directory = join(box.root, 'containers', id, 'history');
  assert.deepEqual(new Set(await readdir(directory)), new Set(names));
  assert.equal(existsSync(join(box.root, 'containers', id, 'aside')), false);
  for (const volume of await readdir(volumesDirectory(box))) {
    assert.deepEqual(await readdir(join(volumesDirectory(box), volume)), ['_data']);
  }
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
}

const namesOf = async (box: Sandbox): Promise<string[]> => (await historyOf(box)).map(({ Name }) => Name);

/** Begins with a container that has counted, and two checkpoints a second apart. Gives what it had come to. */
async function begin(box: Sandbox): Promise<number> {
  await box.ok([...RUN, ...PROGRAM]);
  await counts(box);
  await box.ok(['container', 'checkpoint', '-R', '--tag', 'one', 'c']);
  await box.ok(['exec', 'c', 'sh', '-c', 'echo two > /two']);
  await box.ok(['container', 'checkpoint', '-R', '--tag', 'two', 'c']);
  return (await counts(box))[0];
}

async function end(box: Sandbox): Promise<void> {
  await box.ok(['rm', '-f', '-t', '0', 'c']);
  await box.ok(['volume', 'rm', 'data']);
}

const breakAt = async (
  box: Sandbox,
  point: FaultPoint,
  action: string,
  command: readonly string[],
): Promise<void> => {
  const broken = await box.cryopod(command, { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(broken.code, 0, `${point}:${action} broke the command: ${broken.stderr}`);
};

async function goBackTo(box: Sandbox, name: string): Promise<void> {
  if ((await status(box)).startsWith('running')) await box.ok(['stop', '-t', '0', 'c']);
  await box.ok(['container', 'restore', `c@${name}`]);
  await assertGoesOn(box);
  const { code } = await box.cryopod(['exec', 'c', 'test', '-e', '/two']);
  assert.equal(code, name === 'one' ? 1 : 0, `its files are those of ${name}`);
}

async function breakTag(
  box: Sandbox,
  point: FaultPoint,
  action: string,
  more: readonly string[],
): Promise<void> {
  const before = await begin(box);
  await breakAt(box, point, action, ['container', 'checkpoint', ...more, '--tag', 'three', 'c']);
  const names = await namesOf(box);
  const isThere = names.includes('three');
  await assertHistory(box, isThere ? ['one', 'two', 'three'] : ['one', 'two']);
  if ((await status(box)) === 'exited:true') {
    assert.ok(isThere && more.length === 0, 'it was ended with its checkpoint complete');
    await box.ok(['container', 'restore', 'c']);
  }
  assert.ok((await assertGoesOn(box)) > before - 1);
  if (isThere) await goBackTo(box, 'three');
  await box.ok(['container', 'checkpoint', '-R', '--tag', 'four', 'c']);
  await goBackTo(box, 'one');
  await end(box);
}

const POINTS = (...parts: readonly string[]): FaultPoint[] =>
  FAULT_POINTS.filter((one) => parts.includes(one.split('.')[0] ?? ''));

for (const more of [['-R'], []]) {
  const passes = (point: FaultPoint): boolean => {
    if (point === 'history.ended' || point.startsWith('checkpoint.')) return more.length === 0;
    return true;
  };
  const points = [...POINTS('history', 'durable'), 'export.frozen', 'checkpoint.published'] as const;
  for (const point of points.filter(passes)) {
    const verb = ['a checkpoint with a name', ...more].join(' ');
    test(`${point}: ${verb} that breaks there leaves the earlier history whole, and a container that goes on`, async () => {
      await withSandbox(async (box) => {
        for (const action of ACTIONS) await breakTag(box, point, action, more);
      });
    });
  }
}

for (const point of [
  ...POINTS('back', 'durable'),
  'restore.mounted',
  'restore.running',
  'restore.recorded',
] as const) {
  test(`${point}: going back that breaks there leaves the container as it was, or gone back`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) {
        await begin(box);
        await box.ok(['container', 'checkpoint', '--tag', 'three', 'c']);
        await breakAt(box, point, action, ['container', 'restore', 'c@one']);
        const now = await status(box);
        await assertHistory(box, ['one', 'two', 'three']);
        if (now === 'exited:true') {
          await box.ok(['container', 'restore', 'c']);
          assert.equal(await box.ok(['exec', 'c', 'cat', '/two']), 'two', 'its files are as they were');
        }
        await assertGoesOn(box);
        for (const name of ['one', 'three', 'two']) await goBackTo(box, name);
        await end(box);
      }
    });
  });
}

for (const point of POINTS('forget', 'durable')) {
  test(`${point}: a removal that breaks there leaves all other checkpoints restorable`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) {
        await begin(box);
        await box.ok(['container', 'checkpoint', '-R', '--tag', 'three', 'c']);
        await breakAt(box, point, action, ['checkpoint', 'rm', 'c@two']);
        const names = await namesOf(box);
        await assertHistory(box, names.includes('two') ? ['one', 'two', 'three'] : ['one', 'three']);
        await box.cryopod(['checkpoint', 'rm', 'c@two']);
        await assertHistory(box, ['one', 'three']);
        for (const name of ['three', 'one']) await goBackTo(box, name);
        await end(box);
      }
    });
  });
}
