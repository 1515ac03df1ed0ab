import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RunResult, run } from '../../src/system/process.ts';
import { frameHeader, HEADER_BYTES } from '../../src/wire/frames.ts';
import { unfinished } from '../crash/support.ts';
import { withPair } from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { mutateStream, type Random, randomFrom } from './mutations.ts';

/** Damaged streams, each chosen by its seed alone: `CRYOPOD_FUZZ_STREAMS=500` runs more; a failure names its seed. */
const CASES = Number(process.env.CRYOPOD_FUZZ_STREAMS ?? 30);

/** What a real source sent, to be sent again by a hostile one. */
async function record(
  one: Sandbox,
  other: Sandbox,
  compression: string,
  more: readonly string[] = [],
): Promise<Buffer> {
  const file = join(one.directory, 'recorded');
  const command = `tee ${file} | ${[...other.argv, 'receive'].join(' ')}`;
  const link = ['--via', `sh -c '${command}' --`];
  const words = ['migrate', '--mode', 'cold', '--keep-source', '--compress', compression, ...more, ...link];
  await one.ok([...words, 'c']);
  await other.ok(['rm', '-f', '-t', '0', 'c']);
  const bytes = await readFile(file);
  await rm(file);
  await one.ok(['start', 'c']);
  return bytes;
}

/** Frames whole, header and content. */
function framesOf(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + HEADER_BYTES + stream.readUInt32BE(at + 4);
    frames.push(stream.subarray(at, end));
    at = end;
  }
  return frames;
}

const isMessage = (frame: Buffer): boolean => frame[0] === 1;

const message = (json: string): Buffer => {
  const bytes = Buffer.from(json);
  return Buffer.concat([frameHeader('message', 0, bytes.length), bytes]);
};

/** Another token, so that it is not refused for its age. */
const freshened = (frames: readonly Buffer[], seed: number): Buffer[] =>
  frames.map((frame) => {
    if (!isMessage(frame)) return frame;
    const json = frame.subarray(HEADER_BYTES).toString();
    const token = `"token":"${seed.toString(16).padStart(32, 'f')}"`;
    return message(json.replace(/"token":"[0-9a-f]{32}"/, token));
  });

const NAMES = [
  '/etc/cron.d/x',
  '../canary',
  'checkpoint/../../canary',
  'checkpoint/parent',
  'x',
  '',
  'a'.repeat(290),
];

/** Wrong frames, or right ones in the wrong place; without the word that makes it run. */
function mutated(frames: readonly Buffer[], random: Random): Buffer {
  const uncommitted = frames.filter((frame) => !frame.includes('"type":"commit"'));
  const at = random.below(uncommitted.length);
  const frame = uncommitted[at] ?? Buffer.alloc(0);
  const put = (...replaced: readonly Buffer[]): Buffer =>
    Buffer.concat([...uncommitted.slice(0, at), ...replaced, ...uncommitted.slice(at + 1)]);
  return random.pick([
    () => put(),
    () => put(frame, frame),
    () => put(frame, random.pick(uncommitted)),
    () => put(mutateStream(frame, random)),
    () => mutateStream(Buffer.concat(uncommitted), random),
    () => Buffer.concat(uncommitted).subarray(0, random.below(Buffer.concat(uncommitted).length)),
    () =>
      Buffer.concat(
        uncommitted.map((one) =>
          isMessage(one) && one.includes('"type":"member"') && random.below(4) === 0
            ? message(
                one
                  .subarray(HEADER_BYTES)
                  .toString()
                  .replace(/"name":"[^"]*"/, `"name":"${random.pick(NAMES)}"`),
              )
            : one,
        ),
      ),
  ])();
}

async function receive(box: Sandbox, stream: Buffer): Promise<RunResult> {
  const file = join(box.directory, 'hostile');
  await writeFile(file, stream);
  const input = await open(file);
  try {
    return await run([...box.argv, 'receive'], { input: input.fd });
  } finally {
    await input.close();
  }
}

/** No defect shows; that a field is missing is told in the words of the schema. */
const ANSWER = /^Error: (?!.*(defect|(?<!received )undefined|TypeError))/m;

async function assertNothingCame(box: Sandbox, what: string): Promise<void> {
  assert.equal(await box.ok(['ps', '--all', '--quiet']), '', what);
  assert.equal(await box.ok(['volume', 'ls', '--quiet']), '', what);
  assert.deepEqual(unfinished(box), [], what);
  const staging = join(box.root, 'staging');
  assert.deepEqual(existsSync(staging) ? await readdir(staging) : [], [], what);
  assert.deepEqual(await readdir(join(box.root, 'containers')), [], what);
}

/** Whether the image has come; then it is whole, and goes again. */
async function imageCame({ root, ok }: Sandbox, what: string): Promise<boolean> {
  const ids = await ok(['images', '--quiet']);
  if (ids === '') {
    for (const place of ['blobs/sha256', 'layers']) {
      assert.deepEqual(existsSync(join(root, place)) ? await readdir(join(root, place)) : [], [], what);
    }
    return false;
  }
  await ok(['run', '--rm', '--network', 'none', ids, 'true']);
  await ok(['rmi', '--all']);
  return true;
}

test('whatever comes in place of an image, the receiver has it whole or keeps nothing of it', async () => {
  await withPair(async ({ one, other }) => {
    await other.ok(['rmi', '--all']);
    const stream = framesOf(await record(one, other, 'none'));
    await other.ok(['rmi', '--all']);
    const begin = stream.findIndex((frame) => isMessage(frame) && frame.includes('"type":"begin"'));
    const first = stream.findIndex((frame) => isMessage(frame) && frame.includes('"type":"member"'));
    const image = stream.slice(first, begin);
    let came = 0;
    for (let seed = 1; seed <= CASES; seed += 1) {
      const random = randomFrom(seed);
      const hostile = mutated(freshened(image, seed), random);
      const bytes = Buffer.concat([...freshened(stream.slice(0, first), seed), hostile]);
      const { code, stderr } = await receive(other, bytes);
      const what = `seed ${seed}: ${stderr}`;
      assert.equal(code, 125, what);
      assert.match(stderr, ANSWER, what);
      await assertNothingCame(other, what);
      if (await imageCame(other, what)) came += 1;
    }
    assert.ok(came < CASES, 'most are not sound');
    await receive(other, Buffer.concat(freshened(stream.slice(0, begin), CASES + 1)));
    assert.ok(await imageCame(other, 'sound'));
  });
});

test('whatever comes in place of a sound stream, the receiver refuses it and keeps nothing', async () => {
  await withPair(async ({ one, other }) => {
    // The image has come before.
    await record(one, other, 'none');
    const recorded = [await record(one, other, 'none'), await record(one, other, 'zstd')];
    // Files that take their time on the link come in rounds.
    await one.ok(['exec', 'c', 'dd', 'if=/dev/urandom', 'of=/files', 'bs=64k', 'count=8']);
    recorded.push(await record(one, other, 'none', ['--bwlimit', '4m']));
    assert.ok(recorded[2]?.includes('"name":"round-end"'), 'a round was sent');
    for (let seed = 1; seed <= CASES; seed += 1) {
      const random = randomFrom(seed);
      const stream = mutated(freshened(framesOf(random.pick(recorded)), seed), random);
      const { code, stderr } = await receive(other, stream);
      const what = `seed ${seed}: ${stderr}`;
      assert.equal(code, 125, what);
      assert.match(stderr, ANSWER, what);
      await assertNothingCame(other, what);
    }
    // The same stream is sound, but for its age.
    const again = await receive(other, recorded[0] ?? Buffer.alloc(0));
    assert.match(again.stderr, /a move with this token has been here before/);
    await assertNothingCame(other, 'again');
  });
});
