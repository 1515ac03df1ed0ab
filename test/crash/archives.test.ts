import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isHeld } from '../../src/network/hold.ts';
import { waitFor } from '../../src/system/clock.ts';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { runOk } from '../../src/system/process.ts';
import { netnsPath, stagingDirectory } from '../../src/system/store-paths.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, leftovers, status, unfinished } from './support.ts';

/**
 * The counter is memory of the shell; what it has come to lies in the container and in a volume. A file is open whose name
 * is deleted while it has another one, for which CRIU makes a name.
 */
const COUNT =
  'echo >/k; ln /k /l; exec 3</k; rm /k; i=0; while true; do i=$((i+1)); echo $i > /count; echo $i > /data/count; sleep 0.05; done';
const IMAGE = 'localhost/busybox:latest';
const RUN = [
  'run',
  '-d',
  '--name',
  'c',
  '-p',
  '127.0.0.1:0:80',
  '-v',
  'data:/data',
  IMAGE,
  'sh',
  '-c',
  COUNT,
];

const parts = (point: FaultPoint): string => point.split('.')[0] ?? '';

const target = (box: Sandbox): string => join(box.directory, 'out', 'c.tar.zst');

const exportTo = (box: Sandbox, more: readonly string[] = []): string[] => [
  'container',
  'checkpoint',
  ...more,
  '--export',
  target(box),
  'c',
];

/** Trusted, for the host's network. */
const importFrom = (box: Sandbox): string[] => ['container', 'restore', '--trust', '--import', target(box)];

/** What the running container has counted to in its volume; waits while it says nothing. */
async function counted(box: Sandbox, above = 0): Promise<number> {
  const found = await waitFor(async () => {
    const { stdout } = await box.cryopod(['exec', 'c', 'sh', '-c', 'cat /data/count']);
    return Number(stdout) > above ? Number(stdout) : undefined;
  }, 10_000);
  assert.ok(found !== undefined, `it counts on, above ${above}`);
  return found;
}

/** It runs with its packets flowing, has lost nothing, and is not frozen. */
async function assertGoesOn(box: Sandbox, before: number): Promise<void> {
  assert.equal(await status(box), 'running:false');
  const now = await counted(box, before - 1);
  await counted(box, now);
  assert.doesNotMatch(await box.ok(['exec', 'c', 'ls', '-a', '/']), /link_remap/);
  const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
  assert.equal(await isHeld(netnsPath(box, id)), false, 'its packets flow');
}

async function removeAll(box: Sandbox): Promise<void> {
  await box.ok(['rm', '-f', '-t', '0', 'c']);
  await box.ok(['volume', 'rm', 'data']);
}

/** A name that is there belongs to a whole archive: its container goes on from it. */
async function assertImports(box: Sandbox, before: number): Promise<void> {
  await runOk(['zstd', '-q', '-t', '--', target(box)], 'test the archive');
  await removeAll(box);
  await box.ok(importFrom(box));
  await assertGoesOn(box, before);
}

async function breakExport(
  box: Sandbox,
  point: FaultPoint,
  action: string,
  options: readonly string[],
): Promise<void> {
  await mkdir(join(box.directory, 'out'));
  await box.ok(RUN);
  const before = await counted(box);
  const broken = await box.cryopod(exportTo(box, options), { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(broken.code, 0, `${point}:${action} broke the command: ${broken.stderr}`);
  const now = await status(box);
  const names = await readdir(join(box.directory, 'out'));
  const isComplete = names.includes('c.tar.zst');
  assert.deepEqual(
    names.filter((name) => name !== 'c.tar.zst'),
    [],
  );
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  if (now === 'exited:true') assert.ok(isComplete, 'it was ended with its archive complete');
  else await assertGoesOn(box, before);
  if (action !== 'kill' && point.startsWith('export.')) {
    if (now !== 'exited:true') assert.match(broken.stderr, /c goes on running/);
    if (isComplete) assert.match(broken.stderr, /the archive is complete/);
    assert.doesNotMatch(broken.stderr, /internal error/);
  }
  if (isComplete) await assertImports(box, before);
  await box.ok(exportTo(box, options));
  await assertImports(box, before);
  await removeAll(box);
  await rm(join(box.directory, 'out'), { recursive: true });
}

/** What an export on the host's network passes: there it goes through a local checkpoint. */
const THROUGH = FAULT_POINTS.filter(
  (point) =>
    parts(point) === 'checkpoint' ||
    (parts(point) === 'export' && !['export.frozen', 'export.linked'].includes(point)),
);
const KEEP = ['--tcp-established'];
const RUN_ON_HOST = RUN.flatMap((word) =>
  word === '-p' ? ['--network'] : word === '127.0.0.1:0:80' ? ['host'] : [word],
);

async function breakThrough(box: Sandbox, point: FaultPoint, action: string): Promise<void> {
  await mkdir(join(box.directory, 'out'));
  await box.ok(RUN_ON_HOST);
  const before = await counted(box);
  const broken = await box.cryopod(exportTo(box, KEEP), { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(broken.code, 0, `${point}:${action} broke the command: ${broken.stderr}`);
  const isEnded = (await status(box)) === 'exited:true';
  const names = await readdir(join(box.directory, 'out'));
  assert.ok(names.length === 0 || names[0] === 'c.tar.zst', `nothing but an archive is there: ${names}`);
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  if (action !== 'kill') {
    if (!isEnded) assert.match(broken.stderr, /c goes on running/);
    else assert.match(broken.stderr, /the complete checkpoint of c is here: .* c\b|the archive is complete/);
    assert.doesNotMatch(broken.stderr, /internal error/);
  }
  // From the local checkpoint, or where that has gone from the archive.
  if (isEnded) await box.ok(['container', 'restore', ...KEEP, 'c']);
  await assertGoesOn(box, before);
  await box.ok(exportTo(box, KEEP));
  await assertImports(box, before);
  await removeAll(box);
  await rm(join(box.directory, 'out'), { recursive: true });
}

async function assertNothingCreated(box: Sandbox): Promise<void> {
  assert.deepEqual(await readdir(join(box.root, 'containers')), []);
  assert.equal(await box.ok(['volume', 'ls', '-q']), '');
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

async function breakImport(box: Sandbox, point: FaultPoint, action: string, before: number): Promise<void> {
  const broken = await box.cryopod(importFrom(box), { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(broken.code, 0, `${point}:${action} broke the command: ${broken.stderr}`);
  const now = await status(box);
  assert.deepEqual(unfinished(box), []);
  // Memory of processes lies there while an archive is read.
  assert.deepEqual(await readdir(stagingDirectory(box)), [], 'no file of the import is left');
  if (now === '') {
    await assertNothingCreated(box);
    await box.ok(importFrom(box));
  }
  await assertGoesOn(box, before);
  assert.deepEqual(await leftovers(box), []);
  await removeAll(box);
}

for (const point of FAULT_POINTS.filter((one) => parts(one) === 'export' || parts(one) === 'durable')) {
  for (const options of [[], ['--leave-running']]) {
    if (point === 'export.checkpointed') continue;
    if (options.length > 0 && ['export.ended', 'export.recorded'].includes(point)) continue;
    const verb = ['an export', ...options].join(' ');
    test(`${point}: ${verb} that breaks there leaves a container that goes on, or a whole archive of it`, async () => {
      await withSandbox(async (box) => {
        for (const action of ACTIONS) await breakExport(box, point, action, options);
      });
    });
  }
}

for (const point of THROUGH) {
  test(`${point}: an export on the host's network that breaks there leaves a container that goes on, or its complete checkpoint`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) await breakThrough(box, point, action);
    });
  });
}

const IMPORT_PASSES = ['import', 'durable', 'restore'];

for (const point of FAULT_POINTS.filter((one) => IMPORT_PASSES.includes(parts(one)))) {
  // An import is an operation of its own, which has no entry of a restore.
  if (point === 'restore.journalled') continue;
  test(`${point}: an import that breaks there leaves nothing, or a container that goes on`, async () => {
    await withSandbox(async (box) => {
      await mkdir(join(box.directory, 'out'));
      await box.ok(RUN);
      const before = await counted(box);
      await box.ok(exportTo(box));
      await removeAll(box);
      for (const action of ACTIONS) await breakImport(box, point, action, before);
    });
  });
}
