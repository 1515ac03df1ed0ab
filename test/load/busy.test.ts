import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { openDatabase } from '../../src/state/database.ts';
import { waitFor } from '../../src/system/clock.ts';
import { processStat } from '../../src/system/procfs.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** It takes no notice of TERM, so that a stop lasts as long as it is told to. */
const STUBBORN = 'trap "" TERM; while true; do sleep 0.1; done';

/** Runs `work` while another command stops container c, and has its lock; returns once that has ended. */
async function whileStopping(box: Sandbox, work: (stopping: number) => Promise<void>): Promise<void> {
  await box.ok([
    'run',
    '-d',
    '--name',
    'c',
    '--network',
    'none',
    'localhost/busybox:latest',
    'sh',
    '-c',
    STUBBORN,
  ]);
  const stop = box.start(['stop', '--time', '8', 'c']);
  stop.stdout?.resume();
  const ended = once(stop, 'close');
  const db = openDatabase(`${box.root}/state.db`);
  try {
    const locked = (): boolean =>
      db.prepare("SELECT * FROM locks WHERE operation = 'stop'").get() !== undefined;
    assert.ok(await waitFor(locked, LIMIT_MS), 'the container is being stopped');
  } finally {
    db.close();
  }
  await work(stop.pid ?? 0);
  assert.deepEqual(await ended, [0, null]);
}

test('a command on a container that another one works on waits, and then finds it as that one has left it', async () => {
  await withSandbox(async (box) => {
    await whileStopping(box, async () => {
      await box.ok(['start', 'c']);
    });
    assert.equal(await box.ok(['inspect', '--format', '{{.State.Status}}', 'c']), 'running');
  });
});

test('it waits as long as --timeout says, and then names what is in its way', async () => {
  await withSandbox(async (box) => {
    await whileStopping(box, async (stopping) => {
      for (const [timeout, command] of [
        ['0', ['container', 'checkpoint', 'c']],
        ['1', ['start', 'c']],
      ] as const) {
        const { code, stderr } = await box.cryopod(['--timeout', timeout, ...command]);
        assert.equal(code, 125);
        assert.match(
          stderr,
          new RegExp(`^Error: could not .*: process ${stopping} is busy with "stop" on it$`, 'm'),
        );
        assert.match(stderr, /^Hint: .*--timeout SECONDS/m);
      }
      // Those that only look do not wait.
      assert.equal(await box.ok(['ps', '--format', '{{.Names}}']), 'c');
    });
  });
});

test('who waits can be interrupted', async () => {
  await withSandbox(async (box) => {
    await whileStopping(box, async () => {
      const waiting = box.start(['start', 'c']);
      let stderr = '';
      waiting.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      const ended = once(waiting, 'close');
      assert.ok(await waitFor(() => isWaiting(box, waiting.pid ?? 0), LIMIT_MS));
      waiting.kill('SIGINT');
      assert.deepEqual(await ended, [130, null]);
      assert.equal(stderr, 'Error: interrupted by SIGINT\n');
    });
  });
});

test('who cleans up after a container is content that another command removes it meanwhile', async () => {
  await withSandbox(async (box) => {
    const id = await box.ok(['run', '-d', '--network', 'none', 'localhost/busybox:latest', 'true']);
    await box.ok(['wait', id]);
    const removing = box.start(['rm', id], { CRYOPOD_FAULT: 'remove.unmounted:stop' });
    const removed = once(removing, 'close');
    assert.ok(await waitFor(() => processStat(removing.pid ?? 0)?.state === 'T', LIMIT_MS));
    const cleaning = box.start(['container', 'cleanup', id]);
    const cleaned = once(cleaning, 'close');
    assert.ok(await waitFor(() => isWaiting(box, cleaning.pid ?? 0), LIMIT_MS));
    removing.kill('SIGCONT');
    assert.deepEqual(await removed, [0, null]);
    assert.deepEqual(await cleaned, [0, null]);
  });
});

/** It has opened the database, and so looks at the lock again and again. */
const isWaiting = (box: Sandbox, pid: number): boolean =>
  readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `${box.root}/state.db`;
    } catch {
      // It was closed meanwhile.
      return false;
    }
  });
