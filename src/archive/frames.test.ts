import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { framingOf } from './frames.ts';

const READERS = { zstd: ['zstd', '-dcq'], gzip: ['gzip', '-dc'], none: ['cat'] } as const;

for (const compression of ['zstd', 'gzip', 'none'] as const) {
  test(`${compression}: its program reads frames that were packed and stored as one stream`, async () => {
    const framing = framingOf(compression);
    const [program, ...args] = READERS[compression];
    for (const length of [512, 1536, 65_024]) {
      const [stored, packed] = [randomBytes(length), Buffer.from('words '.repeat(10_000))];
      const frames = [framing.stored(stored), await framing.packed(packed), framing.stored(stored)];
      const read = execFileSync(program, args, { input: Buffer.concat(frames), maxBuffer: 1 << 24 });
      assert.ok(read.equals(Buffer.concat([stored, packed, stored])), `${length} bytes`);
    }
  });

  test(`${compression}: a stored frame of other bytes has the same length`, () => {
    const { stored } = framingOf(compression);
    assert.equal(stored(Buffer.alloc(512)).length, stored(randomBytes(512)).length);
  });
}
