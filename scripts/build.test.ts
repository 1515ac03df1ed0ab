import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { PRESENT } from '../src/criu/delta/page-table.ts';
import { putImages } from '../src/criu/delta/testing.ts';

test('the bundle brings the thread that compares memory, and counts its sources', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-build-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const dist = join(directory, 'dist');
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts'), dist], { stdio: 'ignore' });
  assert.match(readFileSync(join(dist, 'sources.sh'), 'utf8'), / src\/criu\/delta\/worker\.ts[ ']/);
  putImages(join(directory, 'images'), [[1, 2, PRESENT]], 'ab');
  mkdirSync(join(directory, 'into'));
  const job = { verb: 'whole', images: join(directory, 'images'), into: join(directory, 'into') };
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(join(dist, 'delta-worker.cjs'), { workerData: { job, stop } });
  const report = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  assert.deepEqual(report, { figures: { ownPages: 2, parentPages: 0, pageBytes: 4096 } });
});
