import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { areWorthRounds, isAnotherWorthIt, judgeRounds, REST_GOAL, type RoundFigures } from './rounds.ts';

const MIB = 1 << 20;
const RULES = { maxRounds: 8, goal: REST_GOAL };

/** Rounds of a container with so much memory of which a part changes, over a link; until the rules end them. */
function simulate(
  { memory, change, hot, link }: { memory: number; change: number; hot: number; link: number },
  rules = RULES,
): { readonly rounds: RoundFigures[]; readonly end: ReturnType<typeof judgeRounds> } {
  const rounds: RoundFigures[] = [];
  let due = memory;
  for (;;) {
    const duration = 300_000 + (due / link) * 1e6;
    rounds.push({ bytes: due, duration });
    const end = judgeRounds(rounds, rules);
    if (end.verdict !== 'again') return { rounds, end };
    due = Math.min(hot, (change * duration) / 1e6);
  }
}

describe('rounds of a move', () => {
  it('are two at least, since the first one tells nothing of what changes', () => {
    const first = { bytes: 1000, duration: 10 };
    assert.equal(judgeRounds([first], RULES).verdict, 'again');
    assert.equal(judgeRounds([first, { bytes: 0, duration: 10 }], RULES).verdict, 'small');
  });

  it('end when the rest takes less than the goal', () => {
    const { rounds, end } = simulate({
      memory: 1024 * MIB,
      change: 10 * MIB,
      hot: 1024 * MIB,
      link: 110 * MIB,
    });
    assert.equal(end.verdict, 'small');
    assert.ok(rounds.length <= 4, `${rounds.length} rounds`);
    assert.ok(end.transfer <= REST_GOAL);
  });

  it('end when a program writes as fast as the link brings it', () => {
    const { rounds, end } = simulate({
      memory: 1024 * MIB,
      change: 200 * MIB,
      hot: 1024 * MIB,
      link: 110 * MIB,
    });
    assert.equal(end.verdict, 'stuck');
    assert.equal(rounds.length, 2);
  });

  it('end when a part that is always being written is all that is left', () => {
    const { rounds, end } = simulate({
      memory: 1024 * MIB,
      change: 300 * MIB,
      hot: 100 * MIB,
      link: 110 * MIB,
    });
    assert.equal(end.verdict, 'stuck');
    assert.equal(rounds.length, 3);
  });

  it('are no more than asked for', () => {
    const asked = { memory: 4096 * MIB, change: 80 * MIB, hot: 4096 * MIB, link: 110 * MIB };
    const { rounds, end } = simulate(asked, { maxRounds: 3, goal: 1 });
    assert.deepEqual([rounds.length, end.verdict], [3, 'limit']);
    assert.equal(judgeRounds([{ bytes: 1, duration: 1 }], { maxRounds: 1, goal: 1 }).verdict, 'limit');
  });

  it('come to an end whatever they cost', () => {
    const figures = fc.record({ bytes: fc.nat(2 ** 40), duration: fc.nat(1e9) });
    fc.assert(
      fc.property(fc.array(figures, { minLength: 1, maxLength: 20 }), (rounds) => {
        const { verdict, rest, transfer } = judgeRounds(rounds, RULES);
        assert.ok(rounds.length < RULES.maxRounds || verdict !== 'again');
        assert.ok(rest >= 0 && Number.isFinite(transfer) && transfer >= 0);
      }),
    );
  });
});

describe('rounds of files before a freeze', () => {
  it('are sent where there are some MiB, or where the link takes its time for them', () => {
    const worth = (files: number, linkRate?: number) => areWorthRounds({ files, linkRate });
    assert.deepEqual([worth(0), worth(0, 1), worth(MIB), worth(8 * MIB)], [false, false, false, true]);
    assert.deepEqual(
      [worth(MIB, 110 * MIB), worth(MIB, 10 * MIB), worth(8 * MIB, 1e12)],
      [false, true, true],
    );
  });

  it('are two where the second one brings much, but far less than the first', () => {
    const again = (rest: number) => isAnotherWorthIt({ files: 100 * MIB, linkRate: undefined }, rest);
    assert.deepEqual([again(0), again(MIB), again(20 * MIB), again(90 * MIB)], [false, false, true, false]);
  });
});
