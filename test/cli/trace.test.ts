import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSandbox } from '../fixtures/sandbox.ts';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
}

test('CRYOPOD_TRACE tells the stages, programs and durable steps of several commands in one file', async () => {
  await withSandbox(async (box) => {
    const file = join(box.directory, 'trace.json');
    const traced = { CRYOPOD_TRACE: file };
    const run = ['run', '-d', '--name', 'c', 'localhost/busybox', 'sleep', '1000'];
    assert.equal((await box.cryopod(run, traced)).code, 0);
    assert.equal((await box.cryopod(['container', 'checkpoint', 'c'], traced)).code, 0);
    // The closing bracket is missing on purpose; what reads traces adds it.
    const text = readFileSync(file, 'utf8').trimEnd().replace(/,$/, ']');
    const events = JSON.parse(text) as TraceEvent[];
    const wholes = events.filter(({ name }) => name === 'cryopod');
    assert.equal(new Set(wholes.map(({ pid }) => pid)).size, 2, 'two commands');
    const [, second] = wholes;
    assert.ok(second?.dur !== undefined);
    const inSecond = events.filter(({ pid }) => pid === second.pid);
    const dump = inSecond.find(({ name, ph }) => ph === 'X' && /runc .* checkpoint /.test(name));
    assert.ok(dump?.dur !== undefined && dump.dur > 0 && dump.dur < second.dur, 'the dump is a part of it');
    assert.ok(inSecond.some(({ name, ph }) => ph === 'i' && name === 'checkpoint.published'));
  });
});
