import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../../model/errors.ts';
import {
  humanAgo,
  humanCommand,
  humanDuration,
  humanLabels,
  humanPorts,
  humanSize,
  humanStatus,
  parseDuration,
  parseSize,
  spacedSize,
} from './human.ts';

test('sizes are written as podman writes them', () => {
  assert.deepEqual([0, 999, 1000, 4404800, 1234567890, 1e15].map(humanSize), [
    '0B',
    '999B',
    '1kB',
    '4.405MB',
    '1.235GB',
    '1PB',
  ]);
  assert.deepEqual([0, 1234567, 187654321].map(spacedSize), ['0 B', '1.23 MB', '188 MB']);
});

test('durations turn into words at the same places as in podman', () => {
  const expected: readonly (readonly [number, string])[] = [
    [-5, 'Less than a second'],
    [0.9, 'Less than a second'],
    [1.9, '1 second'],
    [2, '2 seconds'],
    [59.9, '59 seconds'],
    [60, 'About a minute'],
    [119, 'About a minute'],
    [120, '2 minutes'],
    [3599, '59 minutes'],
    [3600, 'About an hour'],
    [5399, 'About an hour'],
    [5400, '2 hours'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [13 * 86400, '13 days'],
    [14 * 86400, '2 weeks'],
    [60 * 86400, '2 months'],
    [729 * 86400, '24 months'],
    [730 * 86400, '2 years'],
  ];
  for (const [seconds, words] of expected) assert.equal(humanDuration(seconds), words, String(seconds));
});

const now = Date.parse('2026-01-02T03:04:05Z');

test('the status column tells the state and since when', () => {
  const at = (status: 'created' | 'running' | 'paused' | 'exited') =>
    humanStatus(
      { status, exitCode: 3, startedAt: '2026-01-02T03:01:05Z', finishedAt: '2026-01-02T03:04:00Z' },
      now,
    );
  assert.equal(at('created'), 'Created');
  assert.equal(at('running'), 'Up 3 minutes');
  assert.equal(at('paused'), 'Paused');
  assert.equal(at('exited'), 'Exited (3) 5 seconds ago');
  assert.equal(humanAgo('2026-01-02T01:04:05.000000000Z', now), '2 hours ago');
});

test('long commands are cut', () => {
  assert.equal(humanCommand(['redis-server']), 'redis-server');
  assert.equal(humanCommand(['sh', '-c', 'while true; do date; done']), 'sh -c while true;...');
  assert.equal(
    humanCommand(['sh', '-c', 'while true; do date; done'], true),
    'sh -c while true; do date; done',
  );
});

test('published ports name every address as 0.0.0.0', () => {
  const tcp = { hostIp: '', hostPort: 8080, containerPort: 80, range: 1, protocol: 'tcp' } as const;
  const udp = { hostIp: '127.0.0.1', hostPort: 53, containerPort: 53, range: 2, protocol: 'udp' } as const;
  assert.equal(humanPorts([tcp, udp]), '0.0.0.0:8080->80/tcp, 127.0.0.1:53-54->53-54/udp');
  assert.equal(humanPorts([]), '');
});

test('labels are sorted', () => {
  assert.equal(humanLabels({ b: '2', a: '1' }), 'a=1,b=2');
});

const refused = (message: string) => (error: unknown) =>
  isCryopodError(error, 'USAGE') && error.message === message;

test('sizes are read in powers of 1024', () => {
  const expected: readonly (readonly [string, number])[] = [
    ['64m', 67108864],
    ['1g', 2 ** 30],
    ['512k', 524288],
    ['65536b', 65536],
    ['65536', 65536],
    ['1.5G', 1.5 * 2 ** 30],
    ['32 MB', 2 ** 25],
    ['1KiB', 1024],
    ['0', 0],
    ['.5k', 512],
    ['1t', 2 ** 40],
  ];
  for (const [text, bytes] of expected) assert.equal(parseSize(text), bytes, text);
  assert.throws(() => parseSize('lots'), refused("invalid size: 'lots'"));
  assert.throws(() => parseSize('-1m'), refused("invalid size: '-1m'"));
  assert.throws(() => parseSize(''), refused("invalid size: ''"));
  assert.throws(() => parseSize('1x'), refused("invalid suffix: 'x'"));
  assert.throws(() => parseSize('1bk'), refused("invalid suffix: 'bk'"));
  assert.throws(() => parseSize('99999p'), /out of range/);
});

test('durations are read as Go reads them', () => {
  assert.equal(parseDuration('1h30m'), 5400);
  assert.equal(parseDuration('1.5s'), 1.5);
  assert.equal(parseDuration('200ms'), 0.2);
  assert.equal(parseDuration('-2m'), -120);
  assert.equal(parseDuration('0'), 0);
  assert.throws(() => parseDuration('5'), refused('time: missing unit in duration "5"'));
  assert.throws(() => parseDuration('soon'), refused('time: invalid duration "soon"'));
});
