import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { waitFor } from './clock.ts';
import { processTree, processTreeOfAll } from './procfs.ts';

const count = (pid: number, program: string): number =>
  processTree(pid).filter(({ name }) => name === program).length;

test('a process tree has all descendants, parents first, whichever way it is found', async (t) => {
  const script = 'sleep 600 & (sleep 600 & sleep 600 & wait) & wait';
  const shell = spawn('/bin/sh', ['-c', script], { stdio: 'ignore', detached: true });
  const pid = shell.pid ?? 0;
  t.after(() => process.kill(-pid, 'SIGKILL'));
  const complete = await waitFor(() => count(pid, 'sleep') === 3, 10_000);
  assert.equal(complete, true);
  const tree = processTree(pid);
  assert.equal(count(pid, 'sh'), 2);
  assert.equal(tree.length, 5);
  const seen = new Set<number>();
  for (const { pid: member, parent } of tree) {
    assert.equal(member === pid || seen.has(parent), true);
    seen.add(member);
  }
  assert.deepEqual(new Set(processTreeOfAll(pid).map((stat) => stat.pid)), seen);
});

test('a child that another thread than the first has started belongs to the tree', async (t) => {
  const program = `const { spawn } = require('node:child_process');
    const child = spawn('sleep', ['600']);
    require('node:worker_threads').parentPort.postMessage(child.pid);`;
  const worker = new Worker(program, { eval: true });
  t.after(() => worker.terminate());
  const child = await new Promise<number>((resolve) => worker.once('message', resolve));
  t.after(() => process.kill(child, 'SIGKILL'));
  assert.equal(
    processTree(process.pid).some(({ pid }) => pid === child),
    true,
  );
});

test('a process that is gone has no tree', () => {
  assert.deepEqual(processTree(4_194_304), []);
});
