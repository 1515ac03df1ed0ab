import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readLogs } from './logs.ts';
import type { LogQuery } from './types.ts';

const T = (second: number): string => `2026-11-23T09:30:${String(second).padStart(2, '0')}.694561852+00:00`;

function logFile(context: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-logs-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'ctr.log');
  writeFileSync(path, text);
  return path;
}

async function read(path: string, query: Partial<LogQuery> = {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of readLogs(path, { follow: false, ...query })) texts.push(line.text);
  return texts;
}

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${T(1)} stdout F line ${from + index}\n`).join('');

test('Lines keep their stream, their time and every space', async (context) => {
  const path = logFile(context, `${T(1)} stdout F  two  spaces \n${T(2)} stderr F \n`);
  const lines = [];
  for await (const line of readLogs(path, { follow: false })) lines.push(line);
  assert.deepEqual(lines, [
    { time: T(1), stream: 'stdout', text: ' two  spaces \n' },
    { time: T(2), stream: 'stderr', text: '\n' },
  ]);
});

test('Pieces of a line are joined, each stream by itself, and an unfinished one ends the log', async (context) => {
  const path = logFile(
    context,
    `${T(1)} stdout P ab\n${T(1)} stderr F err\n${T(2)} stdout F cd\n${T(3)} stdout P $ \n`,
  );
  assert.deepEqual(await read(path), ['err\n', 'abcd\n', '$ ']);
});

test('tail gives the last whole lines of a file much larger than what is read at once', async (context) => {
  const path = logFile(context, numbered(0, 20_000));
  for (const count of [0, 1, 2, 1000, 5000]) {
    const lines = await read(path, { tail: count });
    assert.equal(lines.length, count);
    if (count > 0) assert.equal(lines[0], `line ${20_000 - count}\n`);
  }
  assert.equal((await read(path, { tail: 30_000 })).length, 20_000);
});

test('tail counts a line in pieces once', async (context) => {
  const path = logFile(
    context,
    `${numbered(0, 3)}${T(1)} stdout P a\n${T(1)} stdout P b\n${T(1)} stdout F c\n`,
  );
  assert.deepEqual(await read(path, { tail: 1 }), ['abc\n']);
  assert.deepEqual(await read(path, { tail: 2 }), ['line 2\n', 'abc\n']);
});

test('since and until bound the times', async (context) => {
  const path = logFile(context, [1, 2, 3].map((s) => `${T(s)} stdout F ${s}\n`).join(''));
  const since = Date.parse('2026-11-23T09:30:02Z');
  assert.deepEqual(await read(path, { since }), ['2\n', '3\n']);
  assert.deepEqual(await read(path, { until: since }), ['1\n']);
});

test('Following goes on until the container has ended and leaves out nothing', async (context) => {
  const path = logFile(context, numbered(0, 1));
  let asked = 0;
  const ended = (): boolean => {
    asked += 1;
    if (asked === 2) appendFileSync(path, numbered(1, 2));
    if (asked === 4) appendFileSync(path, numbered(2, 3));
    return asked >= 4;
  };
  assert.deepEqual(await read(path, { follow: true, ended }), ['line 0\n', 'line 1\n', 'line 2\n']);
});

test('A log that is started anew at its size limit is followed into the new file', async (context) => {
  const path = logFile(context, numbered(0, 2));
  let asked = 0;
  const ended = (): boolean => {
    asked += 1;
    if (asked === 2) {
      writeFileSync(`${path}.new`, numbered(2, 3));
      renameSync(`${path}.new`, path);
    }
    return asked >= 4;
  };
  assert.deepEqual(await read(path, { follow: true, ended }), ['line 0\n', 'line 1\n', 'line 2\n']);
});

test('A container without a log file has an empty log', async (context) => {
  assert.deepEqual(await read(`${logFile(context, '')}.none`), []);
});
