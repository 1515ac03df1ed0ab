import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { waitFor } from '../system/clock.ts';
import { openDatabase } from './database.ts';
import { beginOperation, endOperation, unfinishedOperations } from './journal.ts';
import { withLock } from './locks.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-locks-'));
const path = join(directory, 'state.db');
after(() => rmSync(directory, { recursive: true }));

const LOCKS = new URL('./locks.ts', import.meta.url).href;
const DATABASE = new URL('./database.ts', import.meta.url).href;
const JOURNAL = new URL('./journal.ts', import.meta.url).href;

/** Another process on the same database. */
const another = (body: string): ReturnType<typeof spawn> =>
  spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      `import fs from 'node:fs'; import { setTimeout as sleep } from 'node:timers/promises';
       const { openDatabase } = await import(${JSON.stringify(DATABASE)});
       const { withLock } = await import(${JSON.stringify(LOCKS)});
       const { beginOperation } = await import(${JSON.stringify(JOURNAL)});
       const db = openDatabase(${JSON.stringify(path)});
       ${body}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

test('four processes that add to one file under a lock lose nothing', async () => {
  const counter = join(directory, 'counter');
  writeFileSync(counter, '0');
  const file = JSON.stringify(counter);
  const children = [1, 2, 3, 4].map(() =>
    another(`for (let i = 0; i < 25; i += 1) await withLock(db, 'counter', 'add', async () => {
      const value = Number(fs.readFileSync(${file}, 'utf8')); await sleep(0); fs.writeFileSync(${file}, String(value + 1));
    });`),
  );
  const ends = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.deepEqual(ends, [0, 0, 0, 0]);
  assert.equal(readFileSync(counter, 'utf8'), '100');
});

test('a second process is refused with the name of the holder once the time limit has passed', async () => {
  const db = openDatabase(path);
  const child = another(
    `await withLock(db, 'box', 'checkpoint', async () => { console.log('held'); await sleep(60000); });`,
  );
  assert.ok(child.stdout !== null);
  await once(child.stdout, 'data');
  await assert.rejects(
    withLock(db, 'box', 'remove', () => Promise.resolve(), 50),
    (error) =>
      isCryopodError(error, 'BUSY') &&
      error.message.includes(`process ${child.pid} is busy with "checkpoint"`),
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await withLock(db, 'box', 'remove', () => Promise.resolve('taken over'), 5000), 'taken over');
});

test('a lock is free again after its holder failed', async () => {
  const db = openDatabase(path);
  await assert.rejects(
    withLock(db, 'box', 'start', () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await withLock(db, 'box', 'start', () => Promise.resolve(1), 0), 1);
});

test('only operations whose process has died count as unfinished', async () => {
  const db = openDatabase(path);
  const own = beginOperation(db, 'start', 'mine');
  const child = another(
    `beginOperation(db, 'checkpoint', 'theirs', { images: 'x' }); console.log('begun'); await sleep(60000);`,
  );
  assert.ok(child.stdout !== null);
  await once(child.stdout, 'data');
  assert.deepEqual(unfinishedOperations(db), []);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const left = await waitFor(() => unfinishedOperations(db)[0], 5000);
  assert.equal(left?.subject, 'theirs');
  assert.deepEqual(left.data, { images: 'x' });
  endOperation(db, left.id);
  endOperation(db, own);
  assert.deepEqual(unfinishedOperations(db), []);
});
