import assert from 'node:assert/strict';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, leftovers, status, unfinished } from './support.ts';

/** A megabyte of memory that stays as it is, which the program can tell, and a counter that does not. */
const HOG = `
  x=$(head -c 1000000 /dev/zero | tr '\\0' y); i=0
  while true; do
    i=$((i+1))
    case $x in *[!y]*) echo bad > /count ;; *) echo "\${#x} $i" > /count.new; mv /count.new /count ;; esac
    sleep 0.05
  done`;
const RUN = ['run', '-d', '--name', 'c', '--network', 'none', 'localhost/busybox:latest', 'sh', '-c', HOG];

const parts = (point: FaultPoint): string => point.split('.')[0] ?? '';
const file = (box: Sandbox, name: string): string => join(box.directory, 'out', name);
const checkpoint = (...options: string[]): string[] => ['container', 'checkpoint', ...options, 'c'];

async function counted(box: Sandbox): Promise<number> {
  const [size, count] = (
    await box.ok(['exec', 'c', 'sh', '-c', 'until cat /count; do sleep 0.1; done'])
  ).split(' ');
  assert.equal(size, '1000000');
  return Number(count);
}

/** It runs, or is restored from what is there, and has lost nothing. */
async function assertGoesOn(box: Sandbox, before: number): Promise<void> {
  // The first command repairs.
  const now = await status(box);
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  if (now === 'exited:true') await box.ok(['container', 'restore', 'c']);
  assert.equal(await status(box), 'running:false');
  assert.ok((await counted(box)) >= before);
}

async function begun(box: Sandbox): Promise<number> {
  await mkdir(join(box.directory, 'out'));
  await box.ok(RUN);
  return await counted(box);
}

async function removed(box: Sandbox): Promise<void> {
  await box.ok(['rm', '-f', '-t', '0', 'c']);
  await rm(join(box.directory, 'out'), { recursive: true });
}

async function broken(
  box: Sandbox,
  args: readonly string[],
  point: FaultPoint,
  action: string,
): Promise<void> {
  const { code, stderr } = await box.cryopod(args, { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(code, 0, `${point}:${action} broke the command: ${stderr}`);
}

for (const point of FAULT_POINTS.filter(
  (one) => parts(one) === 'pre-checkpoint' || parts(one) === 'durable',
)) {
  test(`${point}: a pre-checkpoint that breaks there leaves a container that goes on and can be checkpointed`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) {
        const before = await begun(box);
        await box.ok(checkpoint('-P'));
        await broken(box, checkpoint('-P', '-e', file(box, 'pre')), point, action);
        assert.equal(await status(box), 'running:false');
        assert.deepEqual(await leftovers(box), []);
        assert.deepEqual(
          (await readdir(join(box.directory, 'out'))).filter((name) => name !== 'pre'),
          [],
        );
        // One is there in any case: the one before, or the new one.
        await box.ok(checkpoint('--with-previous'));
        await assertGoesOn(box, before);
        await removed(box);
      }
    });
  });
}

const LOCAL = ['checkpoint', 'delta', 'durable'];

for (const point of FAULT_POINTS.filter((one) => LOCAL.includes(parts(one)) && one !== 'delta.exported')) {
  test(`${point}: a checkpoint of what has changed that breaks there loses nothing`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) {
        const before = await begun(box);
        await box.ok(checkpoint('-P'));
        await broken(box, checkpoint('--with-previous'), point, action);
        await assertGoesOn(box, before);
        await box.ok(checkpoint('-P'));
        await box.ok(checkpoint('--with-previous'));
        await assertGoesOn(box, before);
        await removed(box);
      }
    });
  });
}

/** Steps around what an export does otherwise with a pre-checkpoint; archives.test.ts breaks at the others. */
const EXPORT: readonly FaultPoint[] = [
  'delta.exported',
  'export.published',
  'export.ended',
  'export.recorded',
];

for (const point of EXPORT) {
  test(`${point}: an export of what has changed that breaks there leaves a container that goes on, here or from its archive`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) {
        const before = await begun(box);
        await box.ok(checkpoint('-P', '-e', file(box, 'pre')));
        await broken(box, checkpoint('--with-previous', '-e', file(box, 'c')), point, action);
        const isEnded = (await status(box)) === 'exited:true';
        await assertGoesOn(box, before);
        if (isEnded) {
          await box.ok(['rm', '-f', '-t', '0', 'c']);
          const previous = ['--import-previous', file(box, 'pre')];
          await box.ok(['container', 'restore', ...previous, '--import', file(box, 'c')]);
          await assertGoesOn(box, before);
        }
        await removed(box);
      }
    });
  });
}

for (const point of [
  'import.journalled',
  'import.created',
  'restore.recorded',
  'durable.after-rename',
] as const) {
  test(`${point}: an import of both archives that breaks there leaves nothing, or a container that goes on`, async () => {
    await withSandbox(async (box) => {
      const before = await begun(box);
      await box.ok(checkpoint('-P', '-e', file(box, 'pre')));
      await box.ok(checkpoint('--with-previous', '-e', file(box, 'c')));
      const previous = ['--import-previous', file(box, 'pre')];
      const importing = ['container', 'restore', ...previous, '--import', file(box, 'c')];
      for (const action of ACTIONS) {
        await box.ok(['rm', '-f', '-t', '0', '--ignore', 'c']);
        await broken(box, importing, point, action);
        if ((await status(box)) === '') await box.ok(importing);
        await assertGoesOn(box, before);
      }
      await removed(box);
    });
  });
}
