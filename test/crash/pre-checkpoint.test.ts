import assert from 'node:assert/strict';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FaultPoint } from '../../src/system/faults.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { breakEverywhere } from './breaking.ts';
import { assertCountsOn, assertSettled, IMAGE, lastCount, lastLine, REMOVE, status } from './support.ts';

/** A megabyte of memory that stays as it is, which the program can tell, and a counter that does not. */
const HOG = `
  x=$(head -c 1000000 /dev/zero | tr '\\0' y); i=0
  while true; do
    i=$((i+1))
    case $x in *[!y]*) echo bad ;; *) echo "\${#x} $i" ;; esac
    sleep 0.05
  done`;
const RUN = ['run', '-d', '--name', 'c', '--network', 'none', IMAGE, 'sh', '-c', HOG];

const outOf = (box: Sandbox): string => join(box.directory, 'out');
const file = (box: Sandbox, name: string): string => join(outOf(box), name);
const checkpoint = (...options: string[]): string[] => ['container', 'checkpoint', ...options, 'c'];

/** It runs and has lost nothing. */
async function assertGoesOn(box: Sandbox, before: number): Promise<void> {
  await assertCountsOn(box, before);
  assert.match(lastLine(box), /^1000000 \d+$/);
}

/** Begins with a container that runs; what an earlier round has left is gone. */
async function begin(box: Sandbox): Promise<void> {
  await box.ok(REMOVE);
  await rm(outOf(box), { recursive: true, force: true });
  await mkdir(outOf(box));
  await box.ok(RUN);
  // Asks CRIU what works here, once.
  await box.ok(checkpoint('-P'));
  await box.ok(checkpoint('--with-previous'));
  await box.ok(['container', 'restore', 'c']);
  await assertGoesOn(box, 0);
}

test('a pre-checkpoint that breaks leaves a container that goes on and can be checkpointed', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    /** One is there in any case: the one before, or the new one. */
    const rewind = async (): Promise<void> => {
      await box.ok(checkpoint('--with-previous'));
      before = lastCount(box);
      await box.ok(['container', 'restore', 'c']);
      await assertGoesOn(box, before);
      await rm(file(box, 'pre'), { force: true });
      await box.ok(checkpoint('-P'));
    };
    await breakEverywhere(t, box, {
      name: 'pre-checkpoint',
      command: () => checkpoint('-P', '-e', file(box, 'pre')),
      begin: async () => {
        before = 0;
        await begin(box);
        await box.ok(checkpoint('-P'));
      },
      after: async ({ isLast }) => {
        await assertGoesOn(box, before);
        await assertSettled(box);
        assert.deepEqual(
          (await readdir(outOf(box))).filter((name) => name !== 'pre'),
          [],
        );
        return isLast;
      },
      rewind,
    });
  }));

test('a checkpoint of what has changed that breaks loses nothing', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    const rewind = async (): Promise<void> => {
      assert.equal(await status(box), 'exited:true');
      before = lastCount(box);
      await box.ok(['container', 'restore', 'c']);
      await assertGoesOn(box, before);
      await box.ok(checkpoint('-P'));
    };
    await breakEverywhere(t, box, {
      name: 'checkpoint --with-previous',
      command: () => checkpoint('--with-previous'),
      begin: async () => {
        before = 0;
        await begin(box);
        await box.ok(checkpoint('-P'));
      },
      after: async () => {
        const isDone = (await status(box)) === 'exited:true';
        await assertSettled(box);
        if (!isDone) await assertGoesOn(box, before);
        return isDone;
      },
      rewind,
    });
  }));

/** Steps around what an export does otherwise with a pre-checkpoint; archives.test.ts breaks at the others. */
const EXPORT: readonly FaultPoint[] = [
  'delta.exported',
  'export.published',
  'export.ended',
  'export.recorded',
];

test('an export of what has changed that breaks leaves a container that goes on, here or from its archive', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    const importing = (): string[] => [
      ...['container', 'restore', '--import-previous', file(box, 'pre')],
      ...['--import', file(box, 'c')],
    ];
    const rewind = async (): Promise<void> => {
      before = lastCount(box);
      await box.ok(REMOVE);
      await box.ok(importing());
      await assertGoesOn(box, before);
      for (const name of ['pre', 'c']) await rm(file(box, name));
      await box.ok(checkpoint('-P', '-e', file(box, 'pre')));
    };
    await breakEverywhere(t, box, {
      name: 'export --with-previous',
      only: EXPORT,
      command: () => checkpoint('--with-previous', '-e', file(box, 'c')),
      begin: async () => {
        before = 0;
        await begin(box);
        await box.ok(checkpoint('-P', '-e', file(box, 'pre')));
      },
      after: async () => {
        const isEnded = (await status(box)) === 'exited:true';
        await assertSettled(box);
        if (isEnded) return true;
        await assertGoesOn(box, before);
        return (await readdir(outOf(box))).includes('c');
      },
      rewind,
    });
  }));

test('an import of both archives that breaks leaves nothing, or a container that goes on', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    await breakEverywhere(t, box, {
      name: 'import with the previous',
      only: ['import.journalled', 'import.created', 'restore.recorded'],
      command: () => [
        ...['container', 'restore', '--import-previous', file(box, 'pre')],
        ...['--import', file(box, 'c')],
      ],
      begin: async () => {
        before = 0;
        await begin(box);
        await box.ok(checkpoint('-P', '-e', file(box, 'pre')));
        await box.ok(checkpoint('--with-previous', '-e', file(box, 'c')));
        before = lastCount(box);
        await box.ok(REMOVE);
      },
      after: async () => {
        const now = await status(box);
        await assertSettled(box);
        return now !== '';
      },
      rewind: async () => {
        await assertGoesOn(box, before);
        await box.ok(REMOVE);
      },
    });
  }));
