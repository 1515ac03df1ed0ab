import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine, progressMode, renderProgress } from './progress.ts';

test('a line tells bytes, share, rate and remaining time', () => {
  const event = { phase: 'compress', subject: 'web', bytes: 50e6, totalBytes: 200e6 };
  assert.equal(progressLine(event, 5), 'compress web  50MB/200MB  25%  10MB/s  ETA 0:15');
  assert.equal(progressLine({ phase: 'pull', subject: 'x', bytes: 3e6 }, 1), 'pull x  3MB  3MB/s');
  assert.equal(progressLine({ phase: 'freeze', subject: 'web' }, 1), 'freeze web');
  assert.equal(
    progressLine({ phase: 'p', subject: 's', bytes: 1, totalBytes: 3725 }, 1).split('  ').at(-1),
    'ETA 1:02:04',
  );
});

test('a terminal gets one line, not more often than ten times a second, and it goes away', () => {
  const written: string[] = [];
  let time = 0;
  const progress = renderProgress('line', { write: (text) => written.push(text), columns: 20 }, () => time);
  for (time = 0; time < 250; time += 10)
    progress({ phase: 'pull', subject: 'a\x1b-very-long-name-of-an-image' });
  progress({ phase: 'pull', subject: 'a\x1b-very-long-name-of-an-image', done: true });
  assert.deepEqual(written, [...Array(3).fill('\r\x1b[Kpull a?-very-long-n'), '\r\x1b[K']);
});

test('JSON has one event a line and a pipe stays silent', () => {
  const written: string[] = [];
  const sink = { write: (text: string) => written.push(text), columns: 80 };
  renderProgress(progressMode(true, true), sink)({ phase: 'pull', subject: 'x', bytes: 1 });
  renderProgress(progressMode(false, false), sink)({ phase: 'pull', subject: 'x', bytes: 2 });
  assert.deepEqual(written, ['{"phase":"pull","subject":"x","bytes":1}\n']);
  assert.equal(progressMode(true, false), 'line');
});
