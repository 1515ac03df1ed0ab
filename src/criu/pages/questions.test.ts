import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingPages, type Piece } from './missing.ts';
import type { Provided } from './placer.ts';
import { openQuestions, type PageRange, type Questions } from './questions.ts';

const PAGE = 4096;

interface Asked extends PageRange {
  readonly urgent: boolean;
}

interface Line {
  readonly questions: Questions;
  readonly spaces: Provided[];
  /** What was asked for and has not been answered. */
  readonly asked: Asked[];
  readonly answer: (range: Asked | undefined) => void;
  /** Milliseconds that go by. */
  readonly later: (milliseconds: number) => void;
}

function open(...pieces: readonly (readonly [process: number, ...Piece[]])[]): Line {
  const asked: Asked[] = [];
  let time = 0;
  const spaces = pieces.map(
    ([process, ...own]): Provided => ({
      process,
      descriptor: -1,
      missing: missingPages(own),
      gone: false,
      next: 0,
    }),
  );
  const questions = openQuestions({
    pageBytes: PAGE,
    spaces,
    ask: (range, urgent) => asked.push({ ...range, urgent }),
    now: () => time,
  });
  return {
    questions,
    spaces,
    asked,
    answer: (range) => {
      assert.ok(range !== undefined, 'nothing was asked');
      asked.splice(asked.indexOf(range), 1);
      assert.ok(questions.answered(range, range.pages * PAGE));
      for (const { process, missing } of spaces) {
        if (process === range.process) missing.drop(range.page, range.page + range.pages);
      }
      questions.placed(range.process, range.page, range.pages);
      questions.fill();
    },
    later: (milliseconds) => {
      time += milliseconds;
    },
  };
}

const piece = (start: number, end: number): Piece => ({ start, end, image: start });

test('every page of every process is asked for once, in order, in turns, once it may begin', () => {
  const { questions, asked, answer } = open([1, piece(100, 140), piece(200, 203)], [7, piece(5, 7)]);
  questions.fill();
  assert.deepEqual(asked, []);
  questions.begin();
  questions.fill();
  assert.deepEqual(
    asked.map(({ process, page, pages, urgent }) => [process, page, pages, urgent]),
    [
      [1, 100, 32, false],
      [7, 5, 2, false],
      [1, 132, 8, false],
      [1, 200, 3, false],
    ],
  );
  for (const range of [...asked]) answer(range);
  assert.deepEqual(asked, []);
});

test('a page that a process waits for goes first, with its block, and is not asked for again', () => {
  const { questions, spaces, asked, answer } = open([1, piece(0, 100_000)]);
  questions.begin();
  questions.fill();
  const before = asked.length;
  const [space] = spaces as [Provided];
  const whole = space.missing.at(50_005) ?? assert.fail();
  questions.urgent(space, whole, 50_005);
  questions.urgent(space, whole, 50_007);
  assert.deepEqual(asked.slice(before), [{ process: 1, page: 50_000, pages: 16, urgent: true }]);
  const seen = new Set<number>();
  for (let range = asked[0]; range !== undefined; range = asked[0]) {
    for (let page = range.page; page < range.page + range.pages; page += 1) {
      assert.ok(!seen.has(page), `page ${page} comes twice`);
      seen.add(page);
    }
    answer(range);
  }
  assert.equal(seen.size, 100_000);
});

test('while processes wait for pages, little is under way in advance', () => {
  const { questions, spaces, asked, answer, later } = open([1, piece(0, 100_000)]);
  questions.begin();
  const [space] = spaces as [Provided];
  questions.urgent(space, space.missing.at(90_000) ?? assert.fail(), 90_000);
  questions.fill();
  const inAdvance = (): number =>
    asked.filter(({ urgent }) => !urgent).reduce((sum, { pages }) => sum + pages * PAGE, 0);
  assert.ok(inAdvance() <= 256 << 10, `${inAdvance()} bytes`);
  assert.ok(inAdvance() > 0, 'the link is never idle');
  later(100);
  answer(asked[0]);
  assert.ok(inAdvance() > 512 << 10, `${inAdvance()} bytes`);
});

test('what a child lacks is asked for again where its parent has got it already', () => {
  const { questions, spaces, asked, answer } = open([1, piece(0, 32)]);
  const [parent] = spaces as [Provided];
  questions.begin();
  questions.fill();
  const child = parent.missing.copy();
  answer(asked[0]);
  assert.deepEqual(asked, []);
  spaces.push({ ...parent, missing: child, next: 0 });
  questions.fill();
  assert.deepEqual(asked, [{ process: 1, page: 0, pages: 32, urgent: false }]);
});

test('answers to nothing are told apart', () => {
  const { questions, asked } = open([1, piece(0, 10)]);
  questions.begin();
  questions.fill();
  assert.equal(asked.length, 1);
  assert.ok(!questions.answered({ process: 1, page: 3, pages: 1 }, PAGE));
  assert.ok(!questions.answered({ process: 2, page: 0, pages: 10 }, 10 * PAGE));
  assert.ok(!questions.answered({ process: 1, page: 0, pages: 10 }, 9 * PAGE));
  assert.ok(questions.answered({ process: 1, page: 0, pages: 10 }, 10 * PAGE));
  assert.ok(!questions.answered({ process: 1, page: 0, pages: 10 }, 10 * PAGE));
});
