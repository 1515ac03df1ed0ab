import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Retention, toRemove } from './retention.ts';

const NONE: Retention = { last: 0, within: undefined, hourly: 0, daily: 0, weekly: 0, monthly: 0 };

const at = (...times: readonly string[]): { name: string; created: string }[] =>
  times.map((created) => ({ name: created, created }));

const kept = (times: readonly string[], retention: Partial<Retention>): string[] => {
  const gone = new Set(toRemove(at(...times), { ...NONE, ...retention }).map(({ name }) => name));
  return times.filter((time) => !gone.has(time));
};

test('--keep-last keeps the newest, whatever the order in which they come', () => {
  const times = ['2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z', '2026-01-01T00:00:00Z'];
  assert.deepEqual(kept(times, { last: 2 }), ['2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z']);
});

test('--keep-within counts back from the newest checkpoint, not from now', () => {
  const times = ['2020-01-01T00:00:00Z', '2020-01-01T12:00:00Z', '2020-01-02T00:00:00Z'];
  assert.deepEqual(kept(times, { within: 12 * 3600 }), ['2020-01-01T12:00:00Z', '2020-01-02T00:00:00Z']);
});

test('--keep-hourly keeps the newest of each of the last hours that have any', () => {
  const times = [
    '2026-01-01T01:10:00Z',
    '2026-01-01T01:50:00Z',
    '2026-01-01T05:00:00Z',
    '2026-01-01T05:59:59Z',
    '2026-01-01T06:00:00Z',
  ];
  assert.deepEqual(kept(times, { hourly: 2 }), ['2026-01-01T05:59:59Z', '2026-01-01T06:00:00Z']);
  assert.deepEqual(kept(times, { hourly: 3 }), [
    '2026-01-01T01:50:00Z',
    '2026-01-01T05:59:59Z',
    '2026-01-01T06:00:00Z',
  ]);
});

test('Weeks begin on Monday, also across the end of a year', () => {
  const sunday = '2026-12-27T12:00:00Z';
  const monday = '2026-12-28T12:00:00Z';
  const friday = '2027-01-01T12:00:00Z';
  assert.deepEqual(kept([sunday, monday, friday], { weekly: 2 }), [sunday, friday]);
});

test('--keep-daily and --keep-monthly keep the newest of their days and months', () => {
  const times = ['2026-01-31T01:00:00Z', '2026-01-31T23:00:00Z', '2026-02-01T00:30:00Z'];
  assert.deepEqual(kept(times, { daily: 5 }), times.slice(1));
  assert.deepEqual(kept(times, { monthly: 1 }), times.slice(2));
});

test('A checkpoint that any rule keeps stays, and none is lost or told twice', () => {
  const time = fc
    .date({ min: new Date('2026-01-01'), max: new Date('2026-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString());
  const count = fc.nat({ max: 5 });
  const retention = fc.record({ last: count, hourly: count, daily: count, weekly: count, monthly: count });
  fc.assert(
    fc.property(fc.uniqueArray(time), retention, (times, rules) => {
      const all = at(...times);
      const removed = toRemove(all, { ...NONE, ...rules });
      assert.equal(new Set(removed).size, removed.length);
      for (const rule of ['last', 'hourly', 'daily', 'weekly', 'monthly'] as const) {
        const alone = new Set(toRemove(all, { ...NONE, [rule]: rules[rule] }));
        for (const one of removed) assert.ok(alone.has(one), `${rule} would have kept ${one.name}`);
      }
      if (times.length > 0 && Object.values(rules).some((n) => n > 0)) {
        assert.ok(removed.length < times.length, 'the newest stays');
      }
    }),
  );
});
