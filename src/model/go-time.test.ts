import { strictEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { goTime } from './go-time.ts';

test('A time reads as in Go, without zeros at the end of its fraction', () => {
  strictEqual(goTime('2026-11-23T09:47:21.180000000Z').text, '2026-11-23 09:47:21.18 +0000 UTC');
  strictEqual(goTime('2026-11-23T09:47:20.000000000Z').text, '2026-11-23 09:47:20 +0000 UTC');
  strictEqual(JSON.stringify(goTime('2026-11-23T09:47:21.100000000Z')), '"2026-11-23T09:47:21.1Z"');
});

test("No time is Go's zero time", () => {
  strictEqual(goTime().text, '0001-01-01 00:00:00 +0000 UTC');
  strictEqual(JSON.stringify(goTime()), '"0001-01-01T00:00:00Z"');
  strictEqual(goTime().unix, -62135596800);
});
