import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placed, ProvidedMemory } from '../../system/userfault.ts';
import { missingPages, type Piece } from './missing.ts';
import { openPlacer, type Placer, type Provided } from './placer.ts';

const PAGE = 4096;

/** Fake of a kernel, since its refusals depend on moments: what it says in turn, where it is asked for more than it says. */
interface Kernel {
  readonly memory: ProvidedMemory;
  /** Page and page count of each call. */
  readonly calls: (readonly [page: number, pages: number])[];
  readonly woken: number[];
}

function kernel(refuse: (page: number, pages: number) => Placed | undefined): Kernel {
  const calls: (readonly [number, number])[] = [];
  const woken: number[] = [];
  const place = (address: number, length: number): Placed => {
    calls.push([address / PAGE, length / PAGE]);
    return refuse(address / PAGE, length / PAGE) ?? length;
  };
  return {
    calls,
    woken,
    memory: {
      events: () => [],
      copy: (_, address, bytes) => place(address, bytes.length),
      zero: (_, address, length) => place(address, length),
      wake: (_, address) => woken.push(address / PAGE),
    },
  };
}

const space = (...pieces: readonly Piece[]): Provided => ({
  process: 1,
  descriptor: -1,
  missing: missingPages(pieces),
  gone: false,
  next: 0,
});

const open = (spaces: readonly Provided[], { memory }: Kernel): Placer =>
  openPlacer({ pageBytes: PAGE, spaces, memory });

const pages = (count: number): Buffer => Buffer.alloc(count * PAGE);

test('pages go to where they have been moved, in parts where they lie in two mappings, and to every process that lacks them', () => {
  const known = kernel((page, count) => (page < 108 && page + count > 108 ? 'unmapped' : undefined));
  const parent = space({ start: 100, end: 110, image: 10 });
  const child = space({ start: 12, end: 14, image: 12 });
  assert.ok(open([parent, child], known).place(1, 10, pages(10)));
  assert.ok(parent.missing.isEmpty() && child.missing.isEmpty());
  assert.deepEqual(known.calls, [
    [100, 10],
    [100, 5],
    [105, 5],
    [105, 2],
    [107, 3],
    [107, 1],
    [108, 2],
    [12, 2],
  ]);
});

test('while a process changes its memory its pages wait, and no others', () => {
  const refusals: Placed[] = ['again', 'again', 'again', 'again'];
  const known = kernel(() => refusals.pop());
  const one = space({ start: 0, end: 2, image: 0 });
  const placer = open([one], known);
  assert.ok(!placer.place(1, 0, pages(2)));
  placer.zero(one, 7);
  assert.deepEqual([placer.again(), placer.isWaiting()], [[], true]);
  assert.deepEqual(refusals, []);
  assert.deepEqual([placer.again(), placer.isWaiting()], [[[1, 0, 2]], false]);
  assert.deepEqual(known.calls.slice(-2), [
    [7, 1],
    [0, 2],
  ]);
});

test('a page that is there already wakes who waits for it; a part that was placed is not placed again', () => {
  const known = kernel((page) => (page === 0 ? 2 * PAGE : page === 2 ? 'exists' : undefined));
  const one = space({ start: 0, end: 5, image: 0 });
  assert.ok(open([one], known).place(1, 0, pages(5)));
  assert.deepEqual(known.calls, [
    [0, 5],
    [2, 3],
    [3, 2],
  ]);
  assert.deepEqual(known.woken, [2]);
});

test('a process that has ended wants nothing; memory without a place fails in the end', () => {
  const ended = space({ start: 0, end: 5, image: 0 });
  assert.ok(
    open(
      [ended],
      kernel(() => 'gone'),
    ).place(1, 0, pages(5)),
  );
  assert.ok(ended.gone);
  const lost = open(
    [space({ start: 0, end: 1, image: 0 })],
    kernel(() => 'unmapped'),
  );
  assert.ok(!lost.place(1, 0, pages(1)));
  assert.throws(
    () => {
      while (lost.isWaiting()) lost.again();
    },
    { code: 'RESTORE_FAILED' },
  );
});
