import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleDirectory } from '../../src/system/store-paths.ts';
import {
  assertCounts,
  assertRefused,
  CHECKPOINTED,
  COUNT,
  checkpoint,
  inspect,
  logLines,
  RUNNING,
  restore,
  type Sandbox,
  start,
  stateOf,
  untilLines,
  withSandbox,
} from './support.ts';

const pre = (box: Sandbox, name: string, ...options: string[]): Promise<string> =>
  checkpoint(box, '--pre-checkpoint', ...options, name);
const bundle = (box: Sandbox, id: string): string => bundleDirectory(box, id);
const preCheckpoints = (box: Sandbox, id: string): string[] =>
  readdirSync(bundle(box, id)).filter((name) => name.startsWith('pre-checkpoint'));

test('--pre-checkpoint leaves a container Up, --with-previous stops it, and a restore goes on from there', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await untilLines(box, 'c', 3);
    assert.deepEqual(await box.cryopod(['container', 'checkpoint', '-P', 'c']), {
      code: 0,
      stdout: 'c\n',
      stderr: '',
    });
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.equal(statSync(join(bundle(box, id), 'pre-checkpoint')).mode & 0o7777, 0o700);
    assert.equal(await checkpoint(box, '--with-previous', 'c'), 'c');
    assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
    await restore(box, 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.deepEqual(preCheckpoints(box, id), [], 'a restore consumes both');
    const lines = (await logLines(box, 'c')).length;
    await untilLines(box, 'c', lines + 3);
    assertCounts(await logLines(box, 'c'));
  });
});

test('What a pre-checkpoint cannot be combined with is refused, and nothing is done', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await box.ok(['run', '-d', '--rm', '--name', 'fleeting', 'localhost/busybox:latest', 'sleep', '1000']);
    await box.ok(['create', '--name', 'made', 'localhost/busybox:latest', 'true']);
    const command = ['container', 'checkpoint'];
    const refusals: readonly (readonly [string[], string])[] = [
      [['-P', '--with-previous', 'c'], '--with-previous can not be used with --pre-checkpoint'],
      [['-P', '--create-image', 'x', 'c'], '--create-image can not be used with --pre-checkpoint'],
      [['-P', 'made'], '"created" is not running, cannot checkpoint: container state improper'],
      [['--with-previous', 'made'], '"created" is not running, cannot checkpoint: container state improper'],
      [
        ['-P', 'fleeting'],
        "cannot checkpoint containers that have been started with '--rm' unless '--export' is used",
      ],
      [['-P', 'nobody'], 'no container with name or ID "nobody" found: no such container'],
    ];
    for (const [args, says] of refusals) await assertRefused(box, [...command, ...args], says);
    for (const more of [[], ['-e', join(box.directory, 'c.tar')], ['--create-image', 'x']]) {
      await assertRefused(box, [...command, '--with-previous', ...more, 'c'], /it has no pre-checkpoint/);
    }
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.deepEqual(
      readdirSync(box.directory).filter((name) => name.endsWith('.tar')),
      [],
    );
    assert.equal(await pre(box, 'c', '--tcp-established', '--file-locks', '-R', '-k'), 'c');
  });
});

test('--import-previous needs --import, and only one of them can be standard input', async () => {
  await withSandbox(async (box) => {
    const command = ['container', 'restore', '--import-previous'];
    await assertRefused(
      box,
      [...command, 'p', 'c'],
      '--import-previous can only be used with image or --import',
    );
    await assertRefused(
      box,
      [...command, '-', '--import', '-'],
      'only one of --import and --import-previous can be standard input',
    );
  });
});

test('A pre-checkpoint belongs to one run: it goes with a stop, a start, a restore and another checkpoint', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    const withPrevious = ['container', 'checkpoint', '--with-previous', 'c'];
    const gone = async (): Promise<void> => {
      assert.deepEqual(preCheckpoints(box, id), []);
      if ((await stateOf(box, 'c')) === RUNNING)
        await assertRefused(box, withPrevious, /it has no pre-checkpoint/);
    };
    await pre(box, 'c');
    await box.ok(['stop', '-t', '0', 'c']);
    await gone();
    await box.ok(['start', 'c']);
    await gone();
    await pre(box, 'c');
    await box.ok(['restart', '-t', '0', 'c']);
    await gone();
    await pre(box, 'c');
    await checkpoint(box, 'c');
    await gone();
    await restore(box, 'c');
    await gone();
    await pre(box, 'c');
    await box.ok(['kill', 'c']);
    await box.ok(['wait', 'c']);
    await box.ok(['ps', '-a']);
    await box.ok(['start', 'c']);
    await gone();
  });
});

test('With --keep, and of a container that was left running, the checkpoint stays whole whatever comes after it', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await untilLines(box, 'c', 3);
    await pre(box, 'c');
    await checkpoint(box, '--with-previous', '-R', 'c');
    const saved = (await logLines(box, 'c')).length;
    assert.equal(await stateOf(box, 'c'), RUNNING);
    // Another pre-checkpoint must not take the place of the one that the checkpoint builds on.
    await pre(box, 'c');
    await untilLines(box, 'c', saved + 3);
    await box.ok(['stop', '-t', '0', 'c']);
    assert.deepEqual(preCheckpoints(box, id), ['pre-checkpoint']);
    await restore(box, '--keep', 'c');
    await untilLines(box, 'c', saved + 6);
    await box.ok(['stop', '-t', '0', 'c']);
    await restore(box, 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.deepEqual(preCheckpoints(box, id), []);
  });
});

test('A damaged pre-checkpoint is found before the container is frozen', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await pre(box, 'c');
    const pages = join(bundle(box, id), 'pre-checkpoint/pages-1.img');
    truncateSync(pages, statSync(pages).size - 4096);
    await pre(box, 'c', '--dry-run');
    const command = ['container', 'checkpoint', '--with-previous', 'c'];
    await assertRefused(
      box,
      command,
      /c with its previous checkpoint: .*pages-1\.img.*; it goes on running$/,
    );
    assert.equal(await stateOf(box, 'c'), RUNNING);
    // The next one does not build on it.
    await pre(box, 'c');
    await checkpoint(box, '--with-previous', 'c');
    await restore(box, 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});

test('An export builds on a pre-checkpoint that lies in an archive only, and fails before anything is frozen otherwise', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    const [one, two] = [join(box.directory, 'pre.tar.zst'), join(box.directory, 'c.tar.zst')];
    await pre(box, 'c');
    const command = ['container', 'checkpoint', '--with-previous', '-e', two, 'c'];
    await assertRefused(box, command, /the last pre-checkpoint is in no archive/);
    assert.equal(existsSync(two), false);
    await assertRefused(box, ['container', 'checkpoint', '-P', '-e', '/nowhere/x', 'c'], /\/nowhere/);
    assert.equal(await pre(box, 'c', '-e', one), 'c');
    assert.equal(statSync(one).mode & 0o7777, 0o600);
    assert.equal(await inspect(box, 'c', '{{.State.Checkpointed}}'), 'false');
    await box.ok(command);
    // The container's own copy serves as long as it is there.
    await restore(box, 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});

interface Figures {
  readonly Id: string;
  readonly runtime_checkpoint_duration: number;
  readonly criu_statistics: { readonly pages_scanned: number; readonly pages_written: number };
}

test('--dry-run says what a checkpoint would build on, and --print-stats has figures of a pre-checkpoint', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    const dry = (...options: string[]) =>
      box.cryopod(['container', 'checkpoint', '--dry-run', ...options, 'c']);
    assert.match((await dry('-P')).stdout, /freeze +the processes would/);
    const before = await dry('--with-previous');
    assert.equal(before.code, 125);
    assert.match(before.stdout, /OBSTACLE +previous .*it has no pre-checkpoint/);
    const { podman_checkpoint_duration: total, container_statistics: all } = JSON.parse(
      await pre(box, 'c', '--print-stats'),
    ) as { podman_checkpoint_duration: number; container_statistics: readonly Figures[] };
    const [figures] = all;
    assert.ok(figures !== undefined && figures.Id === id, JSON.stringify(all));
    const { pages_scanned: scanned, pages_written: written } = figures.criu_statistics;
    assert.ok(scanned > 10 && written > 10, JSON.stringify(figures));
    assert.ok(total > figures.runtime_checkpoint_duration, JSON.stringify(figures));
    const after = await dry('--with-previous');
    assert.equal(after.code, 0, after.stdout);
    assert.match(after.stdout, /ok +previous +only what has changed since .* is kept/);
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});

test('An import tells which pre-checkpoint it needs, refuses any other, and leaves nothing of what it refuses', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await start(box, 'd', COUNT);
    const file = (name: string): string => join(box.directory, `${name}.tar.zst`);
    await pre(box, 'd', '-e', file('other'));
    await pre(box, 'c', '-e', file('old'));
    await pre(box, 'c', '-e', file('pre'));
    await checkpoint(box, '--with-previous', '-e', file('c'), 'c');
    await box.ok(['rm', '-f', '-t', '0', 'c', 'd']);
    const command = ['container', 'restore', '--import', file('c')];
    await assertRefused(box, command, /holds only what has changed since a pre-checkpoint of c/);
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['other', /is a pre-checkpoint of the container/],
      ['old', /old\.tar\.zst is not the pre-checkpoint that .*c\.tar\.zst was made after/],
      ['c', /holds no complete pre-checkpoint/],
    ];
    for (const [name, says] of wrong) {
      await assertRefused(box, [...command, '--import-previous', file(name)], says);
    }
    await assertRefused(
      box,
      ['container', 'restore', '--import', file('pre')],
      /holds no complete checkpoint/,
    );
    assert.equal(await box.ok(['ps', '-aq']), '');
    assert.match((await box.cryopod(['checkpoint', 'inspect', file('pre')])).stderr, /is a pre-checkpoint/);
    assert.match(
      await box.ok(['checkpoint', 'inspect', file('c')]),
      /Builds on: +a pre-checkpoint that is not in it/,
    );
    const dry = await box.cryopod([...command, '--import-previous', file('pre'), '--dry-run']);
    assert.equal(dry.code, 0, dry.stdout + dry.stderr);
    assert.equal(await box.ok([...command, '--import-previous', file('pre')]), id);
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});
