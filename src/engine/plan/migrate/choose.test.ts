import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseByFigures, type MoveFacts } from './choose.ts';

const MIB = 1 << 20;
const GIGABIT: MoveFacts = {
  memory: 1024 * MIB,
  changeRate: 10 * MIB,
  files: 10 * MIB,
  linkSpeed: 112 * MIB,
  tracked: true,
  rounds: true,
  lazy: true,
};

describe('the mode of a move', () => {
  it('does not look at files, which go before the freeze', () => {
    const large = chooseByFigures({ ...GIGABIT, changeRate: 300 * MIB, files: 4096 * MIB });
    assert.equal(large.mode, 'post-copy');
    assert.equal(chooseByFigures({ ...GIGABIT, memory: 50 * MIB, files: 4096 * MIB }).mode, 'cold');
  });

  it('is cold where memory crosses at once', () => {
    const { mode, why } = chooseByFigures({ ...GIGABIT, memory: 50 * MIB });
    assert.equal(mode, 'cold');
    assert.equal(
      why,
      '50 MiB of memory and 10 MiB of files, 10 MiB/s of memory change, the link takes 112 MiB/s: memory crosses in 0.4 s',
    );
  });

  it('is pre-copy where rounds catch up', () => {
    assert.equal(chooseByFigures(GIGABIT).mode, 'pre-copy');
    // By content too, where the link is slow beside that.
    assert.equal(
      chooseByFigures({ ...GIGABIT, changeRate: MIB, linkSpeed: 11 * MIB, tracked: false }).mode,
      'pre-copy',
    );
  });

  it('is post-copy where memory is written faster than the link takes it', () => {
    assert.equal(chooseByFigures({ ...GIGABIT, changeRate: 300 * MIB }).mode, 'post-copy');
  });

  it('is post-copy where comparing all memory would take as long as sending it', () => {
    assert.equal(chooseByFigures({ ...GIGABIT, tracked: false }).mode, 'post-copy');
  });

  it('is cold where nothing else works, and says which', () => {
    const fast = { ...GIGABIT, changeRate: 300 * MIB };
    const unable = chooseByFigures({ ...fast, lazy: false });
    assert.deepEqual(
      [unable.mode, unable.why.split('up, and ')[1]],
      ['cold', 'memory cannot follow after the thaw'],
    );
  });

  it('never needs what one of the sides lacks, and is told in one line', () => {
    const bytes = fc.nat(2 ** 42);
    const facts = fc.record({
      memory: bytes,
      changeRate: bytes,
      files: bytes,
      linkSpeed: fc.integer({ min: 1, max: 2 ** 40 }),
      tracked: fc.boolean(),
      rounds: fc.boolean(),
      lazy: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (given) => {
        const { mode, why } = chooseByFigures(given);
        assert.ok(mode !== 'post-copy' || given.lazy);
        assert.ok(mode !== 'pre-copy' || given.rounds);
        assert.match(why, /^[^\n]+[^.]$/);
      }),
    );
  });
});
