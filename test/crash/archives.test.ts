import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOk } from '../../src/system/process.ts';
import { overlayDirectory, stagingDirectory } from '../../src/system/store-paths.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { type Broken, breakEverywhere } from './breaking.ts';
import {
  assertCountsOn,
  assertSettled,
  COUNT,
  IMAGE,
  idOf,
  lastCount,
  REMOVE,
  rows,
  status,
} from './support.ts';

/** A file is open whose name is deleted while it has another one, for which CRIU makes a name. */
const PROGRAM = `echo kept >/k; ln /k /l; exec 3</k; rm /k; echo kept >/data/kept; ${COUNT}`;
const PORT = ['-p', '127.0.0.1:0:80'];
const HOST = ['--network', 'host'];
const runWith = (network: readonly string[]): string[] => [
  ...['run', '-d', '--name', 'c', '-v', 'data:/data', ...network],
  ...[IMAGE, 'sh', '-c', PROGRAM],
];

const outOf = (box: Sandbox): string => join(box.directory, 'out');
const target = (box: Sandbox): string => join(outOf(box), 'c.tar.zst');

const exportTo = (box: Sandbox, more: readonly string[] = []): string[] => [
  ...['container', 'checkpoint', ...more],
  ...['--export', target(box), 'c'],
];

/** Trusted, for the host's network. */
const importFrom = (box: Sandbox): string[] => ['container', 'restore', '--trust', '--import', target(box)];

async function removeAll(box: Sandbox): Promise<void> {
  await box.ok(REMOVE);
  await box.cryopod(['volume', 'rm', '-f', 'data']);
}

/** It counts on, its files and its volume are there, and nothing of what CRIU needs a moment for. */
async function assertGoesOn(box: Sandbox, before: number): Promise<void> {
  await assertCountsOn(box, before);
  const upper = readdirSync(join(overlayDirectory(box, idOf(box)), 'upper'));
  assert.deepEqual(
    upper.filter((name) => name.startsWith('link_remap')),
    [],
  );
}

/** Only a whole archive has its name; nothing else is there. True where it is there. */
async function hasArchive(box: Sandbox): Promise<boolean> {
  const names = await readdir(outOf(box));
  assert.deepEqual(
    names.filter((name) => name !== 'c.tar.zst'),
    [],
  );
  if (names.length > 0) await runOk(['zstd', '-q', '-t', '--', target(box)], 'test the archive');
  return names.length > 0;
}

async function discardArchive(box: Sandbox): Promise<void> {
  await rm(outOf(box), { recursive: true, force: true });
  await mkdir(outOf(box));
}

/** The container goes on from its archive, which goes then. */
async function assertImports(box: Sandbox, before: number): Promise<void> {
  assert.ok(await hasArchive(box));
  await removeAll(box);
  await box.ok(importFrom(box));
  await assertGoesOn(box, before);
  assert.equal(await box.ok(['exec', 'c', 'cat', '/l', '/data/kept', '/proc/1/fd/3']), 'kept\nkept\nkept');
  await discardArchive(box);
}

async function begin(box: Sandbox, network: readonly string[], more: readonly string[] = []): Promise<void> {
  await removeAll(box);
  await discardArchive(box);
  await box.ok(runWith(network));
  await assertCountsOn(box);
  // Asks CRIU what works here, once.
  await box.ok(exportTo(box, ['--leave-running', ...more]));
  await discardArchive(box);
}

/** What cryopod says where it lives on. */
function assertTold({ fault, stderr }: Broken, fate: RegExp): void {
  if (fault.endsWith(':kill')) return;
  assert.match(stderr, fate);
  assert.doesNotMatch(stderr, /internal error/);
}

for (const options of [[], ['--leave-running']]) {
  const name = options.length === 0 ? 'export' : 'export --leave-running';
  test(`${name} that breaks leaves a container that goes on, or a whole archive of it`, (t) =>
    withSandbox(async (box) => {
      let before = 0;
      await breakEverywhere(t, box, {
        name,
        command: () => exportTo(box, ['--tcp-established', ...options]),
        begin: () => {
          before = 0;
          return begin(box, PORT);
        },
        after: async (broken) => {
          const now = await status(box);
          const isComplete = await hasArchive(box);
          await assertSettled(box);
          if (now === 'exited:true') assert.ok(isComplete, 'it was ended with its archive complete');
          else {
            await assertGoesOn(box, before);
            assertTold(broken, /; c goes on running|the archive is complete/);
          }
          if (isComplete) assertTold(broken, /the archive is complete/);
          before = lastCount(box);
          return isComplete;
        },
        rewind: async () => {
          before = lastCount(box);
          await assertImports(box, before);
        },
      });
    }));
}

test("export in the host's network that breaks leaves a container that goes on, or its complete checkpoint", (t) =>
  withSandbox(async (box) => {
    const keep = ['--tcp-established'];
    let before = 0;
    await breakEverywhere(t, box, {
      name: 'export in the network of the host',
      command: () => exportTo(box, keep),
      begin: () => {
        before = 0;
        return begin(box, HOST, keep);
      },
      after: async (broken) => {
        const isEnded = (await status(box)) === 'exited:true';
        await hasArchive(box);
        await assertSettled(box);
        assertTold(
          broken,
          isEnded
            ? /the complete checkpoint of c is here: .* c\b|the archive is complete/
            : /; c goes on running/,
        );
        if (isEnded) await box.ok(['container', 'restore', ...keep, 'c']);
        await assertGoesOn(box, before);
        await discardArchive(box);
        return false;
      },
      rewind: async () => {
        before = lastCount(box);
        await assertImports(box, before);
      },
    });
  }));

async function assertNothingCreated(box: Sandbox): Promise<void> {
  assert.deepEqual(await readdir(join(box.root, 'containers')), []);
  assert.deepEqual(rows(box, 'SELECT * FROM containers'), []);
  assert.deepEqual(rows(box, 'SELECT * FROM volumes'), []);
  for (const name of ['netns', 'containers']) {
    const directory = join(box.runroot, name);
    if (existsSync(directory)) assert.deepEqual(await readdir(directory), [], `nothing is in ${directory}`);
  }
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  assert.deepEqual(
    mounts.filter((line) => line.includes(`${box.root}/containers`)),
    [],
  );
}

test('import that breaks leaves nothing, or a container that goes on', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    await breakEverywhere(t, box, {
      name: 'import',
      command: () => importFrom(box),
      begin: async () => {
        if (existsSync(target(box))) return await removeAll(box);
        await begin(box, PORT);
        await box.ok(exportTo(box));
        before = lastCount(box);
        await removeAll(box);
      },
      after: async () => {
        const now = await status(box);
        await assertSettled(box);
        // Memory of processes lies there while an archive is read.
        assert.deepEqual(await readdir(stagingDirectory(box)), [], 'no file of the import is left');
        if (now === '') await assertNothingCreated(box);
        return now !== '';
      },
      rewind: async () => {
        await assertGoesOn(box, before);
        await removeAll(box);
        await assertNothingCreated(box);
      },
    });
  }));
