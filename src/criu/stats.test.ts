import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DumpStats, formatDumpStats, readDumpStats } from './stats.ts';

test('figures of a dump read back as they were written, also beyond 32 bits', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-stats-'));
  try {
    const stats: DumpStats = {
      freezingTime: 0,
      frozenTime: 127,
      memdumpTime: 128,
      memwriteTime: 2 ** 32 - 1,
      pagesScanned: 2 ** 45,
      pagesSkippedParent: 16_384,
      pagesWritten: 1,
      irmapResolve: 300,
      pagesLazy: 2,
      sharedPagesScanned: 3,
      sharedPagesWritten: 4,
    };
    const path = join(directory, 'stats-dump');
    await writeFile(path, formatDumpStats(stats));
    assert.deepEqual(await readDumpStats(path), stats);
  } finally {
    await rm(directory, { recursive: true });
  }
});
