import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleMemory } from '../../src/criu/delta/sample-memory.ts';
import { inScratch, startPerl } from './support.ts';

const MIB = 1 << 20;

test('a look at some pages tells how much memory there is and how much of it is written', () =>
  inScratch(async (directory, undo) => {
    const program = (loop: string): string =>
      `my $m = ''; substr($m, $_ * 4096, 4096) = pack('N1024', map { $_[0] * 7919 + $_ } 1 .. 1024) for 0 .. 16383;
      my $n = 0; ready(); while (1) { ${loop} }`;
    const idle = await startPerl(directory, undo, program('sleep 60'), 'idle');
    const busy = await startPerl(
      directory,
      undo,
      // Every eighth page: 8 of 64 MiB.
      program(
        '$n++; substr($m, $_ * 32768, 4) = pack("N", $n) for 0 .. 2047; select(undef, undef, undef, 0.01)',
      ),
      'busy',
    );
    const quiet = await sampleMemory([idle.pid]);
    assert.ok(quiet.bytes >= 64 * MIB && quiet.bytes < 160 * MIB, `${quiet.bytes} bytes`);
    assert.deepEqual([quiet.share, quiet.changeRate], [0, 0]);
    const { bytes, share, changeRate } = await sampleMemory([busy.pid, idle.pid]);
    assert.ok(bytes >= quiet.bytes + 64 * MIB, `${bytes} bytes`);
    const expected = (8 * MIB) / bytes;
    assert.ok(share > expected * 0.6 && share < expected * 1.5, `${share} instead of ${expected}`);
    assert.ok(changeRate > 0 && changeRate <= (bytes * share) / 0.5, `${changeRate} bytes a second`);
    await idle.stop();
    assert.deepEqual(await sampleMemory([idle.pid]), { bytes: 0, changeRate: 0, share: 0 });
  }));
