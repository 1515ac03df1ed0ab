import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MemoryChunk } from './memory.ts';
import {
  literalPattern,
  type Match,
  type Pattern,
  regexPattern,
  searchChunks,
  stringsInChunks,
} from './scan.ts';

/** Memory in pieces of the given sizes, with a hole of a page before each piece whose number is in `holes`. */
async function* pieces(
  bytes: Buffer,
  sizes: readonly number[],
  holes: readonly number[] = [],
): AsyncGenerator<MemoryChunk> {
  let address = 0x1000n;
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    if (holes.includes(turn)) address += 0x1000n;
    const piece = bytes.subarray(at, at + size);
    yield { address, bytes: piece };
    address += BigInt(piece.length);
    at += piece.length;
  }
}

async function search(chunks: AsyncIterable<MemoryChunk>, pattern: Pattern, context = 0): Promise<Match[]> {
  const found: Match[] = [];
  for await (const match of searchChunks(chunks, pattern, context)) found.push(match);
  return found;
}

const literal = (text: string): Pattern => literalPattern(Buffer.from(text));

test('a search finds the same in one piece and in pieces of any sizes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', '\0'), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 5 }),
      async (letters, sizes, context) => {
        const bytes = Buffer.from(letters.join(''));
        const key = ({ address, before, after }: Match): string => `${address} ${before}|${after}`;
        for (const pattern of [literal('ab'), literal('a'), regexPattern('b+a|\\x00')]) {
          const whole = await search(pieces(bytes, [1000]), pattern, context);
          const split = await search(pieces(bytes, sizes), pattern, context);
          assert.deepEqual(split.map(key), whole.map(key));
        }
      },
    ),
  );
});

test('a search in large pieces finds what lies across their border, with what is around it', async () => {
  const bytes = Buffer.alloc(30_000, '.');
  bytes.write('<needle>', 9_998);
  const [match, ...more] = await search(pieces(bytes, [10_000]), literal('needle'), 1);
  assert.deepEqual(more, []);
  assert.equal(match?.address, 0x1000n + 9_999n);
  assert.deepEqual([match?.before.toString(), match?.after.toString()], ['<', '>']);
});

test('two pieces with a hole between them are not one text', async () => {
  const bytes = Buffer.from('needle');
  assert.deepEqual(await search(pieces(bytes, [3], [1]), literal('needle')), []);
  const [match] = await search(pieces(bytes, [3], [1]), literal('dle'), 8);
  assert.deepEqual([match?.address, match?.before.length], [0x2003n, 0]);
});

test('a regular expression works on bytes and knows UTF-8', async () => {
  const bytes = Buffer.from([0, 0xff, 0x41, ...Buffer.from('é'), 0]);
  assert.deepEqual((await search(pieces(bytes, [2]), regexPattern('\\xffA')))[0]?.address, 0x1001n);
  assert.deepEqual((await search(pieces(bytes, [2]), regexPattern('Aé')))[0]?.address, 0x1002n);
  assert.throws(() => regexPattern('('), SyntaxError);
});

test('strings are the same in one piece and in pieces of any sizes', async () => {
  const strings = async (chunks: AsyncIterable<MemoryChunk>): Promise<string[]> => {
    const found: string[] = [];
    for await (const { address, text } of stringsInChunks(chunks, 3)) found.push(`${address} ${text}`);
    return found;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('x', 'y', '\t', '\0', '\n'), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
      async (letters, sizes) => {
        const text = letters.join('');
        const expected = [...text.matchAll(/[\t -~]{3,}/g)].map(
          (match) => `${0x1000 + match.index} ${match[0]}`,
        );
        assert.deepEqual(await strings(pieces(Buffer.from(text), sizes)), expected);
      },
    ),
  );
  assert.deepEqual(await strings(pieces(Buffer.from('abcdef'), [3], [1])), ['4096 abc', '8195 def']);
  const long = await strings(pieces(Buffer.alloc(5000, 'z'), [700]));
  assert.deepEqual(
    long.map((line) => line.length - 5),
    [4096, 904],
  );
});
