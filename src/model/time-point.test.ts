import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from './errors.ts';
import { parseTimePoint } from './time-point.ts';

const NOW = Date.parse('2026-05-04T03:02:01Z');

test('Unix times, with fractions, are seconds.', () => {
  assert.equal(parseTimePoint('1700000000.5', NOW), 1_700_000_000_500);
});

test('Durations count back from now, or forward on request.', () => {
  assert.equal(parseTimePoint('1h30m', NOW), NOW - 5_400_000);
  assert.equal(parseTimePoint('1.5s', NOW), NOW - 1500);
  assert.equal(parseTimePoint('1.5s', NOW, 'behind'), NOW + 1500);
});

test('Dates may lack the zone, the seconds or the time.', () => {
  assert.equal(parseTimePoint('2026-05-04T03:02:01.25+01:00', NOW), NOW - 3_600_000 + 250);
  assert.equal(parseTimePoint('2026-05-04T03:02:01', NOW), NOW);
  assert.equal(parseTimePoint('2026-05-04T03:02Z', NOW), NOW - 1000);
  assert.equal(parseTimePoint('2026-05-04', NOW), Date.parse('2026-05-04T00:00:00Z'));
});

test('Anything else is refused.', () => {
  for (const text of ['', 'yesterday', '2026-13-04', '1x', '04.05.2026']) {
    assert.throws(
      () => parseTimePoint(text, NOW),
      (error) => isCryopodError(error, 'USAGE'),
      text,
    );
  }
});
