import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startProbe } from '../fixtures/probe.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const ROUNDS = 3;

/** Freezes and thaws the container `c` some times; after each thaw the probe in it must find everything as it was. */
async function survives(
  box: Sandbox,
  features: readonly string[],
  runOptions: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  const probe = await startProbe(box, 'c', features, runOptions);
  await probe.check();
  for (let round = 0; round < ROUNDS; round += 1) {
    await box.ok(['container', 'checkpoint', ...options, 'c']);
    await box.ok(['container', 'restore', ...options, 'c']);
    await probe.check();
  }
}

describe('a process that was frozen and thawed several times', () => {
  it('has its memory, threads, children, files, pipes, sockets, timers, signals, watches and shared memory', () =>
    withSandbox((box) => survives(box, [], []), { images: [] }));

  it('has its file locks, where they were asked for', () =>
    withSandbox((box) => survives(box, ['lock', 'posixlock'], ['--network', 'none'], ['--file-locks']), {
      images: [],
    }));

  it('has its TCP connections, where they were asked for', () =>
    withSandbox((box) => survives(box, ['tcp'], ['--network', 'none'], ['--tcp-established']), {
      images: [],
    }));

  it('has its terminal', () => withSandbox((box) => survives(box, ['tty', 'pty'], ['-t']), { images: [] }));

  it('is seen to miss what is gone', () =>
    withSandbox(
      async (box) => {
        const probe = await startProbe(box, 'c', ['shm', 'pipe'], ['--network', 'none']);
        await box.ok(['exec', 'c', 'rm', '/dev/shm/probe']);
        const answers = await probe.ask();
        assert.deepEqual(Object.fromEntries(answers), {
          pipe: 'ok',
          shm: 'open: No such file or directory',
        });
      },
      { images: [] },
    ));

  it('goes on where it was left running', () =>
    withSandbox(
      async (box) => {
        const probe = await startProbe(box, 'c');
        for (let round = 0; round < ROUNDS; round += 1) {
          await box.ok(['container', 'checkpoint', '--leave-running', 'c']);
          await probe.check();
        }
      },
      { images: [] },
    ));
});
