import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PageRange } from './protocol.ts';
import { type ReadAhead, readAhead } from './read-ahead.ts';

const PAGE = 8;

/** The content of a page, by which it is known. */
const content = (process: number, page: number): Buffer => {
  const bytes = Buffer.alloc(PAGE);
  bytes.writeUInt32LE(process, 0);
  bytes.writeUInt32LE(page, 4);
  return bytes;
};

interface Asked extends PageRange {
  readonly urgent: boolean;
}

interface Line {
  readonly ahead: ReadAhead;
  /** What was asked for and has not been answered. */
  readonly asked: Asked[];
  readonly answer: (range: Asked | undefined) => void;
}

function open(ranges: Record<number, readonly { page: number; pages: number }[]>): Line {
  const asked: Asked[] = [];
  const ahead = readAhead({
    ranges: new Map(Object.entries(ranges).map(([process, own]) => [Number(process), own])),
    pageBytes: PAGE,
    ask: (range, urgent) => asked.push({ ...range, urgent }),
    now: () => 0,
  });
  return {
    ahead,
    asked,
    answer: (range) => {
      assert.ok(range !== undefined, 'nothing was asked');
      asked.splice(asked.indexOf(range), 1);
      const pages = Array.from({ length: range.pages }, (_, i) => content(range.process, range.page + i));
      ahead.arrived(range, Buffer.concat(pages));
    },
  };
}

test('every page of every process is asked for once, in order, in turns', async () => {
  const { ahead, asked, answer } = open({
    1: [
      { page: 100, pages: 40 },
      { page: 200, pages: 3 },
    ],
    7: [{ page: 5, pages: 2 }],
  });
  ahead.start();
  const ranges = asked.map(({ process, page, pages }) => [process, page, pages]);
  assert.deepEqual(ranges, [
    [1, 100, 32],
    [7, 5, 2],
    [1, 132, 8],
    [1, 200, 3],
  ]);
  assert.ok(asked.every(({ urgent }) => !urgent));
  for (const range of [...asked]) answer(range);
  ahead.announce({ process: 1, page: 100, pages: 40 });
  const read = await ahead.read({ process: 1, page: 100, pages: 40 });
  assert.deepEqual(
    Buffer.concat(read),
    Buffer.concat(Array.from({ length: 40 }, (_, i) => content(1, 100 + i))),
  );
  assert.deepEqual(asked, []);
  assert.equal(ahead.bytes(), 45 * PAGE);
});

test('a page that a process waits for goes first, with its neighbours, and is not asked for again', async () => {
  const { ahead, asked, answer } = open({ 1: [{ page: 0, pages: 300_000 }] });
  ahead.start();
  const before = asked.length;
  ahead.announce({ process: 1, page: 250_000, pages: 1 });
  const waited = asked[before];
  assert.deepEqual(waited, { process: 1, page: 250_000, pages: 16, urgent: true });
  const reading = ahead.read({ process: 1, page: 250_000, pages: 1 });
  answer(waited);
  assert.deepEqual(await reading, [content(1, 250_000)]);
  ahead.announce({ process: 1, page: 250_001, pages: 1 });
  assert.deepEqual(await ahead.read({ process: 1, page: 250_001, pages: 1 }), [content(1, 250_001)]);
  const seen = new Set<number>();
  for (let range = asked[0]; range !== undefined; range = asked[0]) {
    for (let page = range.page; page < range.page + range.pages; page += 1) {
      assert.ok(!seen.has(page), `page ${page} comes twice`);
      seen.add(page);
    }
    answer(range);
    ahead.announce({ process: 1, page: range.page, pages: range.pages });
    await ahead.read({ process: 1, page: range.page, pages: range.pages });
  }
  assert.equal(seen.size, 300_000 - 16);
});

test('an answer is given as soon as its first page is here', async () => {
  const { ahead, asked, answer } = open({ 1: [{ page: 0, pages: 100 }] });
  ahead.start();
  ahead.announce({ process: 1, page: 0, pages: 100 });
  const reading = ahead.read({ process: 1, page: 0, pages: 100 });
  answer(asked.find(({ page }) => page === 32));
  answer(asked.find(({ page }) => page === 0));
  assert.equal((await reading).length, 64);
});

test('a page that was given away is fetched again for a child that was forked', async () => {
  const { ahead, asked, answer } = open({ 1: [{ page: 0, pages: 2 }] });
  ahead.start();
  answer(asked[0]);
  for (const _ of [1, 2]) {
    ahead.announce({ process: 1, page: 1, pages: 1 });
    const reading = ahead.read({ process: 1, page: 1, pages: 1 });
    if (asked[0] !== undefined) answer(asked[0]);
    assert.deepEqual(await reading, [content(1, 1)]);
  }
});

test('what lies here unasked stays within a limit, also where the processes have unmapped it', async () => {
  const bytes = 4096;
  const asked: Asked[] = [];
  const ahead = readAhead({
    ranges: new Map([[1, [{ page: 0, pages: 100_000 }]]]),
    pageBytes: bytes,
    ask: (range, urgent) => asked.push({ ...range, urgent }),
    now: () => 0,
  });
  const answerAll = (): void => {
    for (let range = asked.shift(); range !== undefined; range = asked.shift()) {
      ahead.arrived(range, Buffer.alloc(range.pages * bytes));
    }
  };
  ahead.start();
  answerAll();
  assert.equal(ahead.bytes(), 64 << 20);
  ahead.announce({ process: 1, page: 90_000, pages: 100 });
  answerAll();
  assert.ok((await ahead.read({ process: 1, page: 90_000, pages: 100 })).length > 0);
  assert.ok(ahead.bytes() > (64 << 20) + 100 * bytes, 'it reads ahead again');
});

test('pages that nobody asked for are refused, and a broken link fails who waits', async () => {
  const { ahead, asked } = open({ 1: [{ page: 0, pages: 10 }] });
  ahead.start();
  assert.throws(() => ahead.arrived({ process: 1, page: 3, pages: 1 }, Buffer.alloc(PAGE)), {
    code: 'RESTORE_FAILED',
  });
  assert.throws(() => ahead.arrived({ process: 1, page: 0, pages: 10 }, Buffer.alloc(PAGE)), {
    code: 'RESTORE_FAILED',
  });
  assert.throws(() => ahead.announce({ process: 2, page: 0, pages: 1 }), { code: 'RESTORE_FAILED' });
  assert.equal(asked.length, 1);
  ahead.announce({ process: 1, page: 0, pages: 1 });
  const reading = ahead.read({ process: 1, page: 0, pages: 1 });
  ahead.fail(new Error('the link broke'));
  await assert.rejects(reading, /the link broke/);
});
