import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FaultPoint } from '../../src/system/faults.ts';
import { eventually } from '../contract/support.ts';
import { generator, SEED } from '../fixtures/random.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { PASSES } from './passes.ts';
import { assertCountsOn, COUNT, IMAGE, lastCount, TALK } from './support.ts';
import { assertUndone, begin, counted, interrupted, isRunning, seen, VERBS, type Verb } from './verbs.ts';

const SIZE = 100_000_000;
const SMALL = { image: IMAGE, command: ['sh', '-c', COUNT.replace('echo $i', 'echo "0 $i"')] };
/** Memory that takes a dump and a restore a while. */
const LARGE = {
  image: IMAGE,
  command: [
    ...['sh', '-c'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
    `x=$(head -c ${SIZE} /dev/zero | tr '\\0' y); ${COUNT.replace('echo $i', 'echo "${#x} $i"')}`,
  ],
};

/** A command that has come so far completes what it has begun: it cannot be taken back any more. */
const COMPLETES: readonly FaultPoint[] = [
  'start.monitor-started',
  'start.started',
  'checkpoint.dumped',
  'checkpoint.published',
  'checkpoint.recorded',
  'durable.before-rename',
  'durable.after-rename',
  'export.finished',
  'export.published',
  'export.ended',
  'export.recorded',
  'restore.running',
  'restore.released',
  'restore.recorded',
  'pre-checkpoint.copied',
  'pre-checkpoint.published',
  'history.written',
  'history.published',
  'history.recorded',
  'history.ended',
];

/** Only containers with deleted files that have other names pass the first, only an export the second, only connections the third. */
const RARE: readonly FaultPoint[] = ['export.linked', 'pre-checkpoint.archived', 'hold.draining'];

for (const verb of VERBS) {
  test(`${verb.name} that is interrupted at any durable step is undone, or done`, async () => {
    await withSandbox(async (box) => {
      await begin(box, verb.begin, SMALL);
      let count = 0;
      const points: readonly FaultPoint[] = PASSES[verb.name];
      for (const [index, point] of points.filter((one) => !RARE.includes(one)).entries()) {
        const signal = index % 2 === 0 ? 'sigint' : 'sigterm';
        const before = await seen(box);
        const fault = { CRYOPOD_FAULT: `${point}:${signal}` };
        const result = await box.cryopod(verb.command(box, SMALL), fault);
        if (!COMPLETES.includes(point)) assert.equal(result.code, 130, `${point}: ${result.stderr}`);
        // Whoever waits for something that never comes to pass would find nothing wrong.
        assert.match(result.stderr, /^fault point/m, `it passes ${point}`);
        await assertUndone(box, verb, before, result);
        if (await isRunning(box)) ({ count } = await counted(box, count));
      }
      await box.ok(verb.command(box, SMALL));
    });
  });
}

test('a checkpoint and an export that are interrupted while connections come to rest are undone', async () => {
  await withSandbox(async (box) => {
    const command = ['sh', '-c', TALK.replace('echo $i', 'echo "0 $i"')];
    await begin(box, 'running', { ...SMALL, command });
    await eventually('it has a connection', async () =>
      (await box.ok(['exec', 'c', 'netstat', '-t'])).includes('ESTABLISHED'),
    );
    for (const verb of VERBS.filter(({ name }) => name === 'checkpoint' || name === 'export')) {
      for (const signal of ['sigint', 'sigterm']) {
        const before = await seen(box);
        const words = [...verb.command(box, SMALL), '--tcp-established'];
        const result = await box.cryopod(words, { CRYOPOD_FAULT: `hold.draining:${signal}` });
        assert.equal(result.code, 130, result.stderr);
        await assertUndone(box, verb, before, result);
        await assertCountsOn(box, lastCount(box));
      }
    }
  });
});

const MOMENTS = 2;
/** Milliseconds that the longest of the commands takes. */
const LONGEST = 1500;

for (const verb of VERBS) {
  if (verb.begin === 'nothing') continue;
  test(`${verb.name} that is interrupted at some moment is undone, or done (seed ${SEED})`, (t) =>
    withSandbox((box) => interruptSometimes(box, verb, t)));
}

async function interruptSometimes(box: Sandbox, verb: Verb, t: TestContext): Promise<void> {
  const random = generator(SEED);
  await begin(box, verb.begin, LARGE);
  let longest = 0;
  let count = 0;
  for (let moment = 0; moment < MOMENTS; moment += 1) {
    const before = await seen(box);
    const result = await interrupted(box, verb.command(box, LARGE), 150 + random() * LONGEST);
    longest = Math.max(longest, result.took ?? 0);
    await assertUndone(box, verb, before, result);
    if (await isRunning(box)) ({ count } = await counted(box, count));
  }
  t.diagnostic(`the longest took ${Math.round(longest)} ms from the signal to its end`);
  await box.ok(verb.command(box, LARGE));
  if (!(await isRunning(box))) return;
  assert.equal((await counted(box, count)).size, SIZE);
}

test(`the import of an image that is interrupted at some moment leaves none (seed ${SEED})`, async () => {
  await withSandbox(
    async (box) => {
      const random = generator(SEED);
      const command = ['import', '--quiet', box.archive, 'localhost/busybox:latest'];
      for (let moment = 0; moment < MOMENTS; moment += 1) {
        const { code, stderr } = await interrupted(box, command, 100 + random() * 500);
        if (code !== 0) assert.equal(code, 130, stderr);
        const images = await box.ok(['images', '--quiet']);
        if (code !== 0) assert.equal(images, '');
        else await box.ok(['rmi', 'localhost/busybox']);
        for (const place of ['staging', 'layers', 'blobs/sha256']) {
          const directory = join(box.root, place);
          if (existsSync(directory)) assert.deepEqual(await readdir(directory), [], `nothing is in ${place}`);
        }
      }
      await box.ok(command);
    },
    { images: [] },
  );
});
