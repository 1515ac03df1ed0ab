import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { PRESENT } from '../src/criu/delta/page-table.ts';
import { putImages } from '../src/criu/delta/testing.ts';
import { VERSION } from '../src/model/version.ts';

/** Builds into a new directory of the project, where the executable finds the project's packages. */
function built(t: TestContext): string {
  const dist = mkdtempSync(join(dirname(import.meta.dirname), 'dist-'));
  t.after(() => rmSync(dist, { recursive: true, force: true }));
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts'), dist], { stdio: 'ignore' });
  return dist;
}

test('the executable has the version of the sources, and is not led by files of the directory or by options', (t) => {
  const dist = built(t);
  const place = mkdtempSync(join(tmpdir(), 'cryopod-build-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  writeFileSync(join(place, '.env'), 'CRYOPOD_TRACE=trace.json\n');
  writeFileSync(join(place, 'bunfig.toml'), 'preload = ["./preload.js"]\n');
  writeFileSync(join(place, 'preload.js'), 'console.log("led");\n');
  const run = (...args: string[]): string =>
    execFileSync(join(dist, 'cryopod'), args, { cwd: place, encoding: 'utf8' });
  assert.equal(run('--version'), `cryopod version ${VERSION}\n`);
  assert.match(run('run', '--help'), /^Usage:/m);
  assert.deepEqual(readdirSync(place).sort(), ['.env', 'bunfig.toml', 'preload.js']);
});

test('the bundle brings the thread that compares memory, and counts its sources', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-build-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const dist = built(t);
  assert.match(readFileSync(join(dist, 'sources.sh'), 'utf8'), / src\/criu\/delta\/worker\.ts[ ']/);
  putImages(join(directory, 'images'), [[1, 2, PRESENT]], 'ab');
  mkdirSync(join(directory, 'into'));
  const job = { verb: 'whole', images: join(directory, 'images'), into: join(directory, 'into') };
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(join(dist, 'delta-worker.cjs'), { workerData: { job, stop } });
  const report = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  assert.deepEqual(report, { figures: { ownPages: 2, parentPages: 0, pageBytes: 4096 } });
});
