import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { processStat } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { imageName } from '../fixtures/images.ts';
import { processesOf } from '../fixtures/memory-program.ts';
import { via } from '../fixtures/moving.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const PROGRAM = readFileSync(join(import.meta.dirname, '../fixtures/programs/moving.pl'), 'utf8');

interface Moved {
  readonly mode: string;
  readonly why: string;
  readonly rounds: number;
  readonly bytesSent: number;
  readonly downtime: number;
  readonly duration: number;
}

/** Gives `work` two stores; in the first runs `c`, which changes memory, a volume and its root file system all the time. */
async function withMoving(work: (one: Sandbox, other: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(
    async (one) =>
      withSandbox(async (other) => {
        const run = ['run', '-d', '--name', 'c', '--network', 'none', '-v', 'vol:/vol', imageName('perl')];
        const make = 'mkdir -p /own/a /own/b /vol/a; rm -rf /usr/share/doc; exec perl -e "$0" "$@"';
        await one.ok([...run, 'sh', '-c', make, PROGRAM, '64', '/vol/a', '/own/a', '/own/b']);
        await eventually('it is ready', async () => (await one.ok(['logs', 'c'])).includes('ready'));
        await work(one, other);
        // Each store takes what runs of a container that it has had for its own.
        for (const box of [one, other]) await box.ok(['rm', '--force', '--time', '0', '--all', '--volumes']);
      }),
    { images: ['perl'] },
  );
}

const said = async (box: Sandbox): Promise<string[]> =>
  (await box.ok(['logs', 'c'])).split('\n').filter((line) => line.startsWith('verified'));

/** Memory and files are as the program left them, and it goes on. */
async function assertWhole(box: Sandbox): Promise<void> {
  const before = (await said(box)).length;
  await box.ok(['kill', '--signal', 'USR1', 'c']);
  await eventually('it has looked', async () => (await said(box)).length > before);
  assert.equal((await said(box)).at(-1), 'verified ok');
}

/** Moves `c`; what the last line says. */
async function move(
  from: Sandbox,
  to: Sandbox,
  options: readonly string[],
  env: readonly string[] = [],
): Promise<Moved> {
  const lines = await from.ok(['migrate', '--format', 'json', ...options, ...via(to, { env }), 'c']);
  return JSON.parse(lines.split('\n').at(-1) ?? '') as Moved;
}

/** What a store keeps of `c` beside its configuration. */
const bundle = (box: Sandbox): string[] =>
  readdirSync(join(box.root, 'containers')).flatMap((id) =>
    readdirSync(join(box.root, 'containers', id, 'userdata')).filter((name) =>
      /checkpoint|rounds|\.tmp/.test(name),
    ),
  );

test('a container moves in rounds with its memory, its volume and its files, there and back', () =>
  withMoving(async (one, other) => {
    // The link takes its memory in more than a second, and what changes in far less.
    const there = await move(one, other, ['--mode', 'auto', '--bwlimit', '20m', '--compress', 'none']);
    assert.equal(there.mode, 'pre-copy', there.why);
    assert.match(
      there.why,
      /MiB of memory .*\/s of memory change, the link takes .*\/s: after rounds the rest takes/,
    );
    assert.ok(there.rounds >= 2, JSON.stringify(there));
    await assertWhole(other);
    assert.equal(await one.ok(['ps', '-aq']), '');
    assert.equal(await one.ok(['volume', 'ls', '-q']), '');
    assert.deepEqual(bundle(other), []);
    const back = await move(other, one, ['--mode', 'pre-copy', '--max-rounds', '1', '--compress', 'zstd']);
    assert.equal(back.rounds, 1);
    await assertWhole(one);
    assert.deepEqual(bundle(one), []);
  }));

const FILES = ['/vol/large', '/own/large', '/own/kept'];

test('cold and post-copy send files while the container runs as well, and in the freeze what has changed since', () =>
  withMoving(async (one, other) => {
    const large =
      'dd if=/dev/urandom of=$1/large bs=1M count=6 2>/dev/null; echo $1 >$1/gone; echo $1 >$1/kept';
    for (const path of ['/vol', '/own']) await one.ok(['exec', 'c', 'sh', '-c', large, '-', path]);
    const kept = await one.ok(['exec', 'c', 'md5sum', ...FILES]);
    for (const [mode, from, to] of [
      ['cold', one, other],
      ['post-copy', other, one],
    ] as const) {
      const volume = join(from.root, 'volumes/vol/_data');
      const pid = Number(await from.ok(['inspect', '--format', '{{.State.Pid}}', 'c']));
      const moving = move(from, to, ['--mode', mode], ['CRYOPOD_FAULT=rounds.kept:stop']);
      const receiver = (): number | undefined =>
        processesOf(to, 'receive').find((one) => processStat(one)?.state === 'T');
      await eventually('a round is there', async () => receiver() !== undefined);
      const names = readdirSync(join(to.root, 'staging'), { recursive: true }).map(String);
      assert.equal(names.filter((name) => /\/tree-\d(?:\/own)?\/large$/.test(name)).length, 2, names.join());
      const before = (await said(from)).length;
      process.kill(pid, 'SIGUSR1');
      await eventually('it runs meanwhile', async () => (await said(from)).length > before);
      await writeFile(join(volume, 'late'), mode);
      await rm(join(volume, 'gone'), { force: true });
      process.kill(receiver() ?? 0, 'SIGCONT');
      const { rounds } = await moving;
      assert.equal(rounds, 1, 'little was left');
      await assertWhole(to);
      assert.equal(await to.ok(['exec', 'c', 'cat', '/vol/late']), mode);
      assert.equal((await to.cryopod(['exec', 'c', 'ls', '/vol/gone'])).code, 1);
      assert.equal(await to.ok(['exec', 'c', 'md5sum', ...FILES]), kept, 'what was not touched is the same');
    }
    assert.equal(await one.ok(['volume', 'ls', '-q']), 'vol');
    assert.deepEqual([bundle(one), bundle(other)], [[], []]);
  }));
