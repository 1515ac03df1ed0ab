import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  containerDirectory,
  historyDirectory,
  overlayDirectory,
  volumesDirectory,
} from '../../src/system/store-paths.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { historyOf, tag } from '../system/history-support.ts';
import { breakEverywhere } from './breaking.ts';
import { assertCountsOn, assertSettled, COUNT, IMAGE, idOf, REMOVE, status } from './support.ts';

const RUN = [
  'run',
  '-d',
  '--name',
  'c',
  '-v',
  'data:/data',
  '-p',
  '127.0.0.1:0:80',
  IMAGE,
  'sh',
  '-c',
  COUNT,
];

/**
 * Every checkpoint of the history is as it was written, and nothing else lies there: these, and whether `uncertain` is among
 * them. True where that one is.
 */
async function assertHistory(
  box: Sandbox,
  expected: readonly string[],
  uncertain?: string,
): Promise<boolean> {
  const found = await historyOf(box);
  const isThere = found.some(({ Name }) => Name === uncertain);
  const names = expected.filter((name) => name !== uncertain || isThere);
  assert.deepEqual(
    found.map(({ Name, Status }) => `${Name} ${Status}`),
    names.map((name) => `${name} complete`),
  );
  await box.ok(['checkpoint', 'verify', 'c']);
  const id = idOf(box);
  assert.deepEqual(new Set(await readdir(historyDirectory(box, id))), new Set(names));
  assert.equal(existsSync(join(containerDirectory(box, id), 'aside')), false);
  for (const volume of await readdir(volumesDirectory(box))) {
    assert.deepEqual(await readdir(join(volumesDirectory(box), volume)), ['_data']);
  }
  await assertSettled(box);
  return isThere;
}

/** Files and volume are those of a checkpoint that was taken after /one was written, and before or after /two was. */
function assertFiles(box: Sandbox, hasTwo: boolean): void {
  const upper = join(overlayDirectory(box, idOf(box)), 'upper');
  const volume = join(volumesDirectory(box), 'data', '_data');
  const found = [upper, volume].map((directory) => [
    existsSync(join(directory, 'one')),
    existsSync(join(directory, 'two')),
  ]);
  assert.deepEqual(found, [
    [true, hasTwo],
    [true, hasTwo],
  ]);
}

const write = (box: Sandbox, name: string): Promise<string> =>
  box.ok(['exec', 'c', 'sh', '-c', `echo ${name} > /${name}; echo ${name} > /data/${name}`]);

async function goBackTo(box: Sandbox, name: string): Promise<void> {
  if ((await status(box)).startsWith('running')) await box.ok(['stop', '-t', '0', 'c']);
  await box.ok(['container', 'restore', `c@${name}`]);
  await assertCountsOn(box);
  assertFiles(box, name !== 'one');
}

/** Begins with a container that has a history: `one`, and the others after another file came. */
async function begin(box: Sandbox, ...others: readonly string[]): Promise<void> {
  await box.ok(REMOVE);
  await box.cryopod(['volume', 'rm', '-f', 'data']);
  await box.ok(RUN);
  await write(box, 'one');
  await tag(box, 'c', 'one');
  await write(box, 'two');
  for (const name of others) await tag(box, 'c', name);
}

for (const [name, more] of [
  ['tag --leave-running', ['-R']],
  ['tag', []],
] as const) {
  test(`${name} that breaks leaves the earlier history whole, and a container that goes on`, (t) =>
    withSandbox(async (box) => {
      await breakEverywhere(t, box, {
        name,
        command: () => ['container', 'checkpoint', '--tcp-established', ...more, '--tag', 'three', 'c'],
        begin: () => begin(box, 'two'),
        after: async () => {
          const isThere = await assertHistory(box, ['one', 'two', 'three'], 'three');
          if ((await status(box)) === 'exited:true') {
            assert.ok(isThere && more.length === 0, 'it was ended with its checkpoint complete');
            await box.ok(['container', 'restore', 'c']);
          }
          await assertCountsOn(box);
          if (isThere) await box.ok(['checkpoint', 'rm', 'c@three']);
          return false;
        },
        rewind: async () => {
          await goBackTo(box, 'three');
          await box.ok(['checkpoint', 'rm', 'c@three']);
        },
      });
      for (const each of ['one', 'two']) await goBackTo(box, each);
    }));
}

test('going back that breaks leaves the container as it was, or gone back', (t) =>
  withSandbox(async (box) => {
    const names = ['one', 'two', 'three'];
    const freeze = (): Promise<string> => box.ok(['container', 'checkpoint', '--tag', 'three', 'c']);
    const freezeAgain = async (): Promise<void> => {
      await box.ok(['checkpoint', 'rm', 'c@three']);
      await freeze();
    };
    await breakEverywhere(t, box, {
      name: 'going back',
      command: () => ['container', 'restore', 'c@one'],
      begin: async () => {
        await begin(box, 'two');
        await freeze();
      },
      after: async ({ isLast }) => {
        const now = await status(box);
        await assertHistory(box, names);
        if (now === 'running:false') return true;
        assert.equal(now, 'exited:true');
        assertFiles(box, true);
        if (isLast) {
          await box.ok(['container', 'restore', 'c']);
          await assertCountsOn(box);
          assertFiles(box, true);
          await freezeAgain();
        }
        return false;
      },
      rewind: async () => {
        await assertCountsOn(box);
        assertFiles(box, false);
        await goBackTo(box, 'three');
        await freezeAgain();
      },
    });
    for (const name of names) await goBackTo(box, name);
  }));

for (const name of ['checkpoint rm', 'checkpoint prune'] as const) {
  test(`${name} that breaks leaves all other checkpoints restorable`, (t) =>
    withSandbox(async (box) => {
      /** Oldest first. The one in the middle goes by name, and the oldest by pruning; it comes again as the latest. */
      let names: string[] = [];
      let number = 0;
      const goes = (): string => names[name === 'checkpoint rm' ? 1 : 0] ?? assert.fail();
      const add = async (): Promise<void> => {
        number += 1;
        names.push(`n${number}`);
        await tag(box, 'c', `n${number}`);
      };
      const without = (): string[] => names.filter((each) => each !== goes());
      await breakEverywhere(t, box, {
        name,
        command: () =>
          name === 'checkpoint rm'
            ? ['checkpoint', 'rm', `c@${goes()}`]
            : ['checkpoint', 'prune', '--keep-last', '2', 'c'],
        begin: async () => {
          await begin(box);
          await box.ok(['checkpoint', 'rm', 'c@one']);
          names = [];
          for (let each = 0; each < 3; each += 1) await add();
        },
        after: async () => {
          return !(await assertHistory(box, names, goes()));
        },
        rewind: async () => {
          names = without();
          await assertHistory(box, names);
          await add();
        },
      });
      for (const each of names) await goBackTo(box, each);
    }));
}
