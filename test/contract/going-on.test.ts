import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertCounts,
  COUNT,
  checkpoint,
  eventually,
  inside,
  logLines,
  restore,
  start,
  startWithFlock,
  untilLines,
  withSandbox,
} from './support.ts';

test('Logs go on growing after any number of rounds, without a gap or a repetition', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    for (let round = 1; round <= 3; round += 1) {
      await untilLines(box, 'c', round * 10);
      await checkpoint(box, 'c');
      const frozen = await logLines(box, 'c');
      await restore(box, 'c');
      await untilLines(box, 'c', frozen.length + 5);
    }
    assertCounts(await logLines(box, 'c'));
  });
});

test('Both waiters on a flock resume with --file-locks', async () => {
  await withSandbox(async (box) => {
    const waiter = (name: string): string => `flock /lock sh -c 'echo ${name}' &`;
    await startWithFlock(
      box,
      'c',
      `flock /lock sh -c 'echo held; until [ -e /release ]; do sleep 0.05; done' &
       until [ -s /ready ]; do sleep 0.05; done; ${waiter('one')} ${waiter('two')} sleep 1000`,
    );
    await untilLines(box, 'c', 1);
    await inside(box, 'c', 'echo go > /ready');
    await eventually('both wait for the lock', async () =>
      (await inside(box, 'c', "grep -c -e '->' /proc/locks || true")).startsWith('2'),
    );
    await checkpoint(box, '--file-locks', 'c');
    await restore(box, '--file-locks', 'c');
    assert.deepEqual(await logLines(box, 'c'), ['held'], 'the lock is still held');
    await inside(box, 'c', 'touch /release');
    await untilLines(box, 'c', 3);
    assert.deepEqual(new Set(await logLines(box, 'c')), new Set(['held', 'one', 'two']));
  });
});

test('exec works after a restore', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, 'c');
    assert.notEqual((await box.cryopod(['exec', 'c', 'true'])).code, 0);
    await restore(box, 'c');
    assert.equal(await inside(box, 'c', 'echo from inside'), 'from inside');
    assert.equal((await box.cryopod(['exec', 'c', 'sh', '-c', 'exit 3'])).code, 3);
  });
});

test('/dev/shm content survives', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000');
    await inside(
      box,
      'c',
      'echo content > /dev/shm/file; mkdir -m 700 /dev/shm/dir; echo more > /dev/shm/dir/file',
    );
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.equal(await inside(box, 'c', 'cat /dev/shm/file /dev/shm/dir/file'), 'content\nmore');
    assert.equal(await inside(box, 'c', 'stat -c %a /dev/shm/dir'), '700');
  });
});

test('A file in /dev/shm that a process has open goes on being written to', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', `exec > /dev/shm/out; ${COUNT}`);
    const lines = async (): Promise<number> => Number(await inside(box, 'c', 'wc -l < /dev/shm/out'));
    await eventually('lines are written', async () => (await lines()) > 3);
    await checkpoint(box, 'c');
    await restore(box, 'c');
    const after = await lines();
    await eventually('more lines are written', async () => (await lines()) > after + 3);
    assertCounts((await inside(box, 'c', 'cat /dev/shm/out')).split('\n'));
  });
});

test('Files and volumes are as they were left', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', '-v', 'named:/named', '-v', '/anonymous');
    await inside(box, 'c', 'echo own > /own; echo n > /named/file; echo a > /anonymous/file');
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.equal(await inside(box, 'c', 'cat /own /named/file /anonymous/file'), 'own\nn\na');
    await box.ok(['rm', '-f', '-t', '0', '-v', 'c']);
    await box.ok(['volume', 'rm', 'named']);
  });
});

test('A process that ends after a restore gives its exit code', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'until [ -e /end ]; do sleep 0.05; done; exit 7');
    await checkpoint(box, 'c');
    await restore(box, 'c');
    await inside(box, 'c', 'touch /end');
    assert.equal(await box.ok(['wait', 'c']), '7');
  });
});
