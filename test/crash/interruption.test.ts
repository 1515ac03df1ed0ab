import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isHeld } from '../../src/network/hold.ts';
import { sleep, waitFor } from '../../src/system/clock.ts';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { netnsPath, stagingDirectory } from '../../src/system/store-paths.ts';
import { generator, SEED } from '../fixtures/random.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { leftovers, unfinished } from './support.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
const COUNT = 'i=0; while true; do i=$((i+1)); echo "${#x} $i" > /dev/shm/count; sleep 0.05; done';
/** Memory that takes a dump and a restore a while. */
const HOG = `x=$(head -c 300000000 /dev/zero | tr '\\0' y); ${COUNT}`;

const runOf = (program: string): string[] => [
  ...['run', '-d', '--name', 'c', '-p', '127.0.0.1:0:80', '-v', 'data:/data'],
  ...['localhost/busybox:latest', 'sh', '-c', program],
];

const archiveOf = (box: Sandbox): string => join(box.directory, 'out', 'c.tar.zst');

/** A command that takes long, what must be there before it, and what takes its effect back. */
interface Verb {
  readonly command: (box: Sandbox) => string[];
  readonly begin: 'nothing' | 'running' | 'checkpointed' | 'archive';
  readonly undo: (box: Sandbox) => readonly (readonly string[])[];
  /** First parts of the names of the fault points that it passes. */
  readonly passes: readonly string[];
}

const REMOVE = ['rm', '-f', '-t', '0', 'c'];

const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    command: () => runOf(COUNT).filter((word) => word !== '-v' && word !== 'data:/data'),
    begin: 'nothing',
    undo: () => [REMOVE],
    passes: ['create', 'start'],
  },
  checkpoint: {
    command: () => ['container', 'checkpoint', 'c'],
    begin: 'running',
    undo: () => [['container', 'restore', 'c']],
    passes: ['checkpoint', 'durable'],
  },
  'checkpoint --leave-running': {
    command: () => ['container', 'checkpoint', '--leave-running', 'c'],
    begin: 'running',
    undo: () => [],
    passes: ['checkpoint', 'durable'],
  },
  restore: {
    command: () => ['container', 'restore', '--keep', 'c'],
    begin: 'checkpointed',
    undo: () => [['container', 'checkpoint', 'c']],
    passes: ['restore', 'durable', 'start.mounted', 'start.network-ready'],
  },
  export: {
    command: (box) => ['container', 'checkpoint', '--export', archiveOf(box), 'c'],
    begin: 'running',
    undo: (box) => [REMOVE, ['volume', 'rm', 'data'], ['container', 'restore', '--import', archiveOf(box)]],
    passes: ['export', 'durable'],
  },
  import: {
    command: (box) => ['container', 'restore', '--import', archiveOf(box)],
    begin: 'archive',
    undo: () => [REMOVE, ['volume', 'rm', 'data']],
    passes: [
      'import',
      'durable',
      'restore.mounted',
      'restore.running',
      'restore.running',
      'restore.released',
      'restore.recorded',
    ],
  },
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
];

async function begin(box: Sandbox, state: Verb['begin'], program: string): Promise<void> {
  await mkdir(join(box.directory, 'out'));
  if (state === 'nothing') return;
  await box.ok(runOf(program));
  await counted(box, '0');
  if (state === 'checkpointed') await box.ok(['container', 'checkpoint', 'c']);
  if (state !== 'archive') return;
  await box.ok(['container', 'checkpoint', '--export', archiveOf(box), 'c']);
  await box.ok(REMOVE);
  await box.ok(['volume', 'rm', 'data']);
}

/** All that a user can see of the container. */
async function seen(box: Sandbox): Promise<unknown> {
  const { stdout } = await box.cryopod(['inspect', 'c']);
  const volumes = await box.ok(['volume', 'ls', '-q']);
  const names = await readdir(join(box.directory, 'out'));
  return { container: JSON.parse(stdout || '[]'), volumes, names };
}

const isRunning = async (box: Sandbox): Promise<boolean> =>
  (await box.cryopod(['inspect', '--format', '{{.State.Status}}', 'c'])).stdout.trim() === 'running';

/** The size of its memory and how far it has counted, once that is above `above`. */
async function counted(box: Sandbox, above: string): Promise<string> {
  const found = await waitFor(async () => {
    const { stdout } = await box.cryopod(['exec', 'c', 'cat', '/dev/shm/count']);
    const [size, count] = stdout.trim().split(' ');
    return Number(count) > Number(above.split(' ').at(-1)) ? `${size} ${count}` : undefined;
  }, 20_000);
  assert.ok(found !== undefined, `it counts on, above ${above}`);
  return found;
}

async function assertSettled(box: Sandbox): Promise<void> {
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  if (existsSync(stagingDirectory(box))) assert.deepEqual(await readdir(stagingDirectory(box)), []);
  if (!(await isRunning(box))) return;
  const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
  assert.equal(await isHeld(netnsPath(box, id)), false, 'its packets flow');
}

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** What was interrupted is as before, or done; a user who tries again then succeeds. */
async function assertWhole(
  box: Sandbox,
  verb: Verb,
  before: unknown,
  { code, stderr }: Ended,
): Promise<void> {
  await assertSettled(box);
  if (code === 0) {
    for (const command of verb.undo(box)) await box.ok(command);
    return;
  }
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^Error: interrupted by SIG(?:INT|TERM)/m);
  assert.doesNotMatch(stderr, /internal error|^Also:/m);
  assert.deepEqual(await seen(box), before, stderr);
}

/** Only containers with deleted files that have other names, or in the host's network with connections, pass these. */
const RARE: readonly FaultPoint[] = ['export.linked', 'export.checkpointed'];

const passes = (verb: Verb, point: FaultPoint): boolean =>
  !RARE.includes(point) && verb.passes.some((pass) => pass === point || pass === point.split('.')[0]);

for (const [name, verb] of Object.entries(VERBS)) {
  test(`${name} that is interrupted at any durable step is undone, or done`, async () => {
    await withSandbox(async (box) => {
      await begin(box, verb.begin, COUNT);
      let count = '0';
      for (const [index, point] of FAULT_POINTS.filter((one) => passes(verb, one)).entries()) {
        const signal = index % 2 === 0 ? 'sigint' : 'sigterm';
        const before = await seen(box);
        const result = await box.cryopod(verb.command(box), { CRYOPOD_FAULT: `${point}:${signal}` });
        if (!COMPLETES.includes(point)) assert.equal(result.code, 130, `${point}: ${result.stderr}`);
        // Whoever waits for something that never comes to pass would find nothing wrong.
        if (!point.startsWith('durable')) assert.match(result.stderr, /^fault point/m, `it passes ${point}`);
        await assertWhole(box, verb, before, result);
        if (await isRunning(box)) count = await counted(box, count);
      }
      await box.ok(verb.command(box));
    });
  });
}

const MOMENTS = 3;
/** Milliseconds that the longest of the commands takes. */
const LONGEST = 1500;

/** Interrupts a command some time after it has begun, as the terminal does: the whole process group gets the signal. */
async function interrupted(
  box: Sandbox,
  args: readonly string[],
  after: number,
): Promise<Ended & { took: number }> {
  const [program = '', ...options] = box.argv;
  const child: ChildProcess = spawn(program, [...options, ...args], { detached: true });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.resume();
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  await sleep(after);
  const at = performance.now();
  if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  return { code: await ended, stderr, took: performance.now() - at };
}

for (const [name, verb] of Object.entries(VERBS)) {
  if (verb.begin === 'nothing') continue;
  test(`${name} that is interrupted at some moment is undone, or done (seed ${SEED})`, (t) =>
    withSandbox((box) => interruptSometimes(box, verb, t)));
}

async function interruptSometimes(box: Sandbox, verb: Verb, t: TestContext): Promise<void> {
  const random = generator(SEED);
  await begin(box, verb.begin, HOG);
  let longest = 0;
  let count = '0';
  for (let moment = 0; moment < MOMENTS; moment += 1) {
    const before = await seen(box);
    const result = await interrupted(box, verb.command(box), 150 + random() * LONGEST);
    longest = Math.max(longest, result.took);
    // It had not begun to listen, nor anything else.
    const ended = result.code === null ? { code: 130, stderr: 'Error: interrupted by SIGINT' } : result;
    await assertWhole(box, verb, before, ended);
    if (await isRunning(box)) count = await counted(box, count);
  }
  t.diagnostic(`the longest took ${Math.round(longest)} ms from the signal to its end`);
  await box.ok(verb.command(box));
  if (!(await isRunning(box))) return;
  assert.match(await counted(box, count), /^300000000 /);
}

test(`the import of an image that is interrupted at some moment leaves none (seed ${SEED})`, async () => {
  await withSandbox(
    async (box) => {
      const random = generator(SEED);
      const command = ['import', '--quiet', box.archive, 'localhost/busybox:latest'];
      for (let moment = 0; moment < MOMENTS; moment += 1) {
        const { code, stderr } = await interrupted(box, command, 100 + random() * 500);
        if (code !== null && code !== 0) assert.equal(code, 130, stderr);
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
