import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../src/system/process.ts';
import {
  assertUndone,
  begin,
  counted,
  interrupted,
  isRunning,
  type Program,
  seen,
  VERBS,
  type Verb,
} from '../../test/crash/verbs.ts';
import { imageName } from '../../test/fixtures/images.ts';
import { generator, SEED } from '../../test/fixtures/random.ts';
import { type Sandbox, withSandbox } from '../../test/fixtures/sandbox.ts';

const MIB = 1 << 20;
const MEBIBYTES = 1024;

/** It compares a block of its memory each time before it counts; what does not compress takes a dump the longest. */
const PROGRAM: Program = {
  image: imageName('perl'),
  command: [
    ...['perl', '-e'],
    `$| = 1; srand 7; my $block = join '', map { pack 'L', int rand 2**32 } 1 .. ${MIB / 4};
     my $all = $block x ${MEBIBYTES};
     for (my $i = 1;; $i++) {
       die 'bad' if substr($all, ($i % ${MEBIBYTES}) * ${MIB}, ${MIB}) ne $block;
       print length($all), " $i\\n";
       select undef, undef, undef, 0.05;
     }`,
  ],
};

interface Moments {
  /** Milliseconds of the command when nobody interrupts it. */
  readonly whole: number;
  /** Milliseconds from each signal to the end of the command. */
  readonly took: number[];
  undone: number;
}

function line(name: string, { whole, took, undone }: Moments): string {
  const sorted = took.toSorted((one, other) => one - other);
  const seconds = (ms: number | undefined): string => `${((ms ?? 0) / 1000).toFixed(2)} s`;
  const median = sorted[Math.floor(sorted.length / 2)];
  return `${name}: takes ${seconds(whole)}; ${took.length} signals, ${undone} undone; to its end ${seconds(median)} in the median, ${seconds(sorted.at(-1))} the longest`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function interruptVerb(box: Sandbox, verb: Verb, moments: number): Promise<string> {
  await begin(box, verb.begin, PROGRAM);
  const command = verb.command(box, PROGRAM);
  const whole = await timed(() => box.ok(command));
  await assertUndone(box, verb, undefined, { code: 0, stderr: '' });
  const random = generator(SEED);
  const figures: Moments = { whole, took: [], undone: 0 };
  let count = 0;
  for (let moment = 0; moment < moments; moment += 1) {
    const before = await seen(box);
    const { took, ...ended } = await interrupted(box, command, random() * whole);
    if (took !== undefined) figures.took.push(took);
    if (ended.code !== 0) figures.undone += 1;
    await assertUndone(box, verb, before, ended);
    if (!(await isRunning(box))) continue;
    const now = await counted(box, count);
    assert.equal(now.size, MEBIBYTES * MIB);
    count = now.count;
  }
  return line(verb.name, figures);
}

/** Large files that do not compress, as an image of one layer. */
async function imageArchive(box: Sandbox): Promise<string> {
  const tree = join(box.directory, 'tree');
  const archive = join(box.directory, 'image.tar');
  await mkdir(tree);
  await runOk(
    ['sh', '-c', `head -c ${MEBIBYTES * MIB} /dev/urandom > "$1/large"`, 'sh', tree],
    'fill a file',
  );
  await runOk(['tar', '--create', `--file=${archive}`, `--directory=${tree}`, '.'], 'make a layer');
  return archive;
}

async function interruptImages(box: Sandbox, moments: number): Promise<string[]> {
  const layer = await imageArchive(box);
  const name = 'localhost/large:latest';
  const saved = join(box.directory, 'saved.tar');
  const commands: Readonly<Record<string, readonly string[]>> = {
    'import of an image': ['import', '--quiet', layer, name],
    load: ['load', '--quiet', '--input', saved],
    pull: ['pull', '--quiet', `docker-archive:${saved}`],
  };
  await box.ok(commands['import of an image'] ?? []);
  await box.ok(['save', '--quiet', '--output', saved, name]);
  await box.ok(['rmi', name]);
  const lines: string[] = [];
  for (const [what, command] of Object.entries(commands)) {
    const whole = await timed(() => box.ok(command));
    await box.ok(['rmi', name]);
    const random = generator(SEED);
    const figures: Moments = { whole, took: [], undone: 0 };
    for (let moment = 0; moment < moments; moment += 1) {
      const { code, stderr, took } = await interrupted(box, command, random() * whole);
      if (took !== undefined) figures.took.push(took);
      if (code === 0) await box.ok(['rmi', name]);
      else {
        assert.equal(code, 130, stderr);
        figures.undone += 1;
      }
      assert.equal(await box.ok(['images', '--quiet']), '');
      for (const place of ['staging', 'layers', 'blobs/sha256']) {
        const directory = join(box.root, place);
        if (existsSync(directory)) assert.deepEqual(await readdir(directory), [], `nothing is in ${place}`);
      }
    }
    lines.push(line(what, figures));
  }
  return lines;
}

/**
 * Sends Ctrl-C at moments chosen by chance to every command that takes long, on a container of 1 GiB and on an image of
 * 1 GiB: each is undone, or done, and prints how long that took.
 */
export async function soakInterruptions(moments: number, only: readonly string[]): Promise<void> {
  console.log(`interrupt: ${moments} moments for each command (seed ${SEED})`);
  for (const verb of VERBS.filter(({ name }) => only.length === 0 || only.includes(name))) {
    await withSandbox(async (box) => console.log(await interruptVerb(box, verb, moments)), {
      images: ['perl'],
    });
  }
  if (only.length > 0 && !only.includes('images')) return;
  await withSandbox(
    async (box) => {
      for (const each of await interruptImages(box, moments)) console.log(each);
    },
    { images: [] },
  );
}
