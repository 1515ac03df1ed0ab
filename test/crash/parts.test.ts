import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sleep, waitFor } from '../../src/system/clock.ts';
import { commandOf, type ProcessStat, processesWorkingOn, processTree } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { assertCountsOn, assertSettled, IMAGE, lastCount, lastLine, REMOVE, status } from './support.ts';

/** Memory with which each part has something to do for a while, and that the program can tell to be as it was. */
const HOG = `
  x=$(head -c 120000000 /dev/zero | tr '\\0' y); i=0
  while true; do i=$((i+1)); echo "\${#x} $i"; sleep 0.05; done`;

const RUN = ['run', '-d', '--name', 'c', '-p', '127.0.0.1:0:80', IMAGE, 'sh', '-c', HOG];

/** Names of processes. */
const PARTS = {
  CRIU: /^(?:criu|ld-linux)/,
  'the runtime': /^runc/,
  'the monitor': /^conmon/,
  zstd: /^zstd/,
} as const;
type Part = keyof typeof PARTS;

const archiveOf = (box: Sandbox): string => join(box.directory, 'out', 'c.tar.zst');

/** Milliseconds after a part has been seen first. */
const MOMENTS = [0, 60];

interface Verb {
  readonly command: (box: Sandbox) => readonly string[];
  readonly parts: readonly Part[];
  /** What a failure says of the container. */
  readonly fate: RegExp;
  /** Commands that lead from a running container to where the command begins, and from there. */
  readonly before: (box: Sandbox) => readonly (readonly string[])[];
}

const VERBS: Readonly<Record<string, Verb>> = {
  checkpoint: {
    command: () => ['container', 'checkpoint', 'c'],
    parts: ['CRIU', 'the runtime', 'the monitor'],
    fate: /; c goes on running$/m,
    before: () => [],
  },
  restore: {
    command: () => ['container', 'restore', 'c'],
    parts: ['CRIU', 'the runtime', 'the monitor'],
    fate: /its checkpoint is kept|conmon ended/,
    before: () => [['container', 'checkpoint', 'c']],
  },
  export: {
    command: (box) => ['container', 'checkpoint', '--export', archiveOf(box), 'c'],
    parts: ['CRIU', 'the runtime', 'the monitor', 'zstd'],
    fate: /; c goes on running$/m,
    before: () => [],
  },
  import: {
    command: (box) => ['container', 'restore', '--import', archiveOf(box)],
    parts: ['CRIU', 'the runtime', 'the monitor', 'zstd'],
    fate: /its checkpoint is kept|conmon ended|ended before|killed by|archive/,
    before: (box) => [['container', 'checkpoint', '--export', archiveOf(box), 'c'], REMOVE],
  },
};

/** Of the command itself, or what it started for the container. */
function atWork(box: Sandbox, command: number, part: Part): ProcessStat[] {
  const fits = ({ name }: ProcessStat): boolean => PARTS[part].test(name);
  const found = [...processTree(command).filter(fits), ...processesWorkingOn(box.directory, PARTS[part])];
  // It is called for much else, which is over before it could be killed.
  return part === 'the runtime'
    ? found.filter(({ pid }) => commandOf(pid).some((word) => ['checkpoint', 'restore'].includes(word)))
    : found;
}

/** Runs a command and kills a part of it `after` milliseconds after that has begun; true when it was there. */
async function killed(
  box: Sandbox,
  args: readonly string[],
  part: Part,
  after: number,
): Promise<{ readonly met: boolean; readonly code: number | null; readonly stderr: string }> {
  const child = box.start(args);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.resume();
  const ended = once(child, 'close');
  const victims = (): ProcessStat[] => (child.pid === undefined ? [] : atWork(box, child.pid, part));
  await waitFor(() => child.exitCode !== null || victims().length > 0, LIMIT_MS);
  await sleep(after);
  const found = victims();
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  const [code] = await ended;
  return { met: found.length > 0, code, stderr };
}

/** It runs, thawed and with its packets flowing, or can be restored; or it is not there at all, as before an import. */
async function assertWhole(box: Sandbox, args: readonly string[], before: number): Promise<void> {
  const now = await status(box);
  await assertSettled(box);
  const names = await readdir(join(box.directory, 'out'));
  assert.deepEqual(
    names.filter((name) => name !== 'c.tar.zst'),
    [],
  );
  if (now === '') await box.ok(args);
  else if (now === 'exited:true') {
    await box.ok(['container', 'restore', 'c']);
  } else assert.equal(now, 'running:false');
  await assertCountsOn(box, before);
  assert.match(lastLine(box), /^120000000 \d+$/);
}

for (const [name, verb] of Object.entries(VERBS)) {
  test(`${name}: the container is whole after a part was killed in the middle: ${verb.parts.join(', ')}`, async (t) => {
    await withSandbox(async (box) => {
      await mkdir(join(box.directory, 'out'));
      await box.ok(RUN);
      await eventually('its memory is full', async () => lastLine(box) !== '');
      // Asks CRIU what works here, once.
      await box.ok(['container', 'checkpoint', '--leave-running', 'c']);
      for (const part of verb.parts) {
        let met = 0;
        for (const after of MOMENTS) {
          const before = lastCount(box);
          for (const step of verb.before(box)) await box.ok(step);
          const args = verb.command(box);
          const result = await killed(box, args, part, after);
          if (result.met) met += 1;
          t.diagnostic(`${part} after ${after} ms: ${result.code} ${result.stderr.split('\n')[0] ?? ''}`);
          if (result.code !== 0) {
            assert.equal(result.code, 125, result.stderr);
            assert.match(result.stderr, verb.fate);
            assert.doesNotMatch(result.stderr, /internal error|^Also:/m);
          }
          await assertWhole(box, args, before);
        }
        assert.ok(met > 0, `${part} was at work`);
      }
    });
  });
}
