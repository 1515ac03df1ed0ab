import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ErrorCode } from '../../src/model/errors.ts';
import { CryopodError } from '../../src/model/errors.ts';
import { execProcess } from '../../src/runtime/exec-process.ts';
import { restoreContainer } from '../../src/runtime/monitor.ts';
import { hostFacts } from '../../src/runtime/spec/host.ts';
import type { CheckpointRequest, RestoreOptions } from '../../src/runtime/types.ts';
import { waitFor } from '../../src/system/clock.ts';
import { run } from '../../src/system/process.ts';
import { processStat } from '../../src/system/procfs.ts';
import { findProgram } from '../../src/system/tools.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Bundle, withBundle } from './runtime-bundle.ts';

/** Set in the child that runs the contract in a mount namespace of its own. */
const ONLY = process.env.CRYOPOD_TEST_RUNTIME;
const SIGKILL = 9;
const SIGTERM = 15;

const sh = (script: string) => ({ command: ['/bin/sh', '-c', script] });
const COUNT_UP = 'i=0; while :; do i=$((i+1)); echo $i | tee /tmp/count; sleep 0.05; done';
const COUNT = sh(COUNT_UP);
/** Counts once a TCP connection to itself is established (state 01 in /proc/net/tcp). */
const CONNECTED = sh(`
  sleep 1000 | nc -l -p 99 &
  until grep -q ':0063 .* 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done
  sleep 1000 | nc 127.0.0.1 99 &
  until grep -q ':0063 .* 01 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done
  ${COUNT_UP}`);
const WAIT = sh('trap "exit 42" TERM; while :; do sleep 0.05; done');

async function failsWith(code: ErrorCode, work: Promise<unknown>): Promise<CryopodError> {
  const error = await work.then(
    () => assert.fail(`expected ${code}, but nothing failed`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CryopodError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

/** Waits until the container counts beyond what it has counted now. */
async function keepsCounting(bundle: Bundle): Promise<number> {
  const before = Number(bundle.file('/tmp/count'));
  const after = await waitFor(() => {
    const now = Number(bundle.file('/tmp/count'));
    return now > before + 1 ? now : undefined;
  }, LIMIT_MS);
  return after ?? assert.fail(`it stopped counting at ${before}`);
}

const dump = (bundle: Bundle, more: Partial<CheckpointRequest> = {}): Promise<void> =>
  bundle.runtime.checkpoint(bundle.id, {
    imagePath: bundle.images,
    workPath: bundle.directory,
    leaveRunning: false,
    tcpEstablished: false,
    fileLocks: false,
    ...more,
  });

const thaw = (bundle: Bundle, more: Partial<RestoreOptions> = {}) => {
  const { store, runtime, config, exitCommand } = bundle;
  const restore = { imagePath: bundle.images, tcpEstablished: false, fileLocks: false, ...more };
  return restoreContainer({ store, runtime, config, exitCommand, restore });
};

const inside = (bundle: Bundle, args: readonly string[], detach = false): Promise<number> => {
  const process = execProcess(
    bundle.config,
    { args, env: ['EXTRA=1'], tty: false, privileged: false, user: bundle.facts.user },
    hostFacts(),
  );
  return bundle.runtime.exec(bundle.id, { process, interactive: false, detach });
};

function contract(name: string): void {
  test(`${name}: a created container waits for its start, runs, takes a signal and reports its exit status`, () =>
    withBundle(name, WAIT, async (bundle) => {
      const { runtime, id } = bundle;
      const { pid, monitorPid } = await bundle.create();
      assert.deepEqual(await runtime.state(id), { status: 'created', pid });
      assert.equal(processStat(monitorPid)?.name, 'conmon');
      await runtime.start(id);
      assert.equal((await runtime.state(id))?.status, 'running');
      assert.equal((await runtime.ps(id)).includes(pid), true);
      assert.equal(await runtime.kill(id, SIGTERM), true);
      assert.equal((await bundle.exit()).code, 42);
      assert.equal(await bundle.exitCommandRan(), true);
      assert.equal(await runtime.kill(id, SIGTERM), false, 'nobody is left to get a signal');
    }));

  test(`${name}: removing is idempotent, and what is unknown has no state`, () =>
    withBundle(name, WAIT, async ({ runtime, run: start, id }) => {
      assert.equal(await runtime.state(id), undefined);
      assert.equal(await runtime.kill(id, SIGKILL), false);
      await runtime.delete(id);
      await start();
      await failsWith('RUNTIME_FAILED', runtime.delete(id));
      await runtime.delete(id, { force: true });
      await runtime.delete(id, { force: true });
      assert.equal(await runtime.state(id), undefined);
    }));

  test(`${name}: output goes to the log with its stream, and to none with the driver none`, async () => {
    const command = sh('echo out; echo err >&2; exit 3');
    await withBundle(name, command, async (bundle) => {
      await bundle.run();
      assert.equal((await bundle.exit()).code, 3);
      assert.match(bundle.log(), / stdout F out\n/);
      assert.match(bundle.log(), / stderr F err\n/);
    });
    await withBundle(name, { ...command, logDriver: 'none', logPath: '' }, async (bundle) => {
      await bundle.run();
      assert.equal((await bundle.exit()).code, 3);
    });
  });

  test(`${name}: a command that is missing or cannot be executed fails by name and leaves nothing`, async () => {
    const cases: readonly (readonly [string, ErrorCode])[] = [
      ['no-such-command', 'COMMAND_NOT_FOUND'],
      ['/no/such/command', 'COMMAND_NOT_FOUND'],
      ['/etc/passwd', 'COMMAND_NOT_EXECUTABLE'],
    ];
    for (const [command, code] of cases) {
      await withBundle(name, { command: [command] }, async (bundle) => {
        const { message } = await failsWith(code, bundle.create());
        assert.equal(message.startsWith(`${name}: `), true, message);
      });
    }
  });

  test(`${name}: pausing freezes all processes until they are resumed`, () =>
    withBundle(name, COUNT, async (bundle) => {
      const { runtime, id } = bundle;
      await bundle.run();
      await keepsCounting(bundle);
      await runtime.pause(id);
      assert.equal((await runtime.state(id))?.status, 'paused');
      const frozen = bundle.file('/tmp/count');
      assert.equal(await waitFor(() => bundle.file('/tmp/count') !== frozen, 300), undefined);
      await runtime.resume(id);
      await keepsCounting(bundle);
    }));

  test(`${name}: exec runs with the container's settings and gives the exit status`, () =>
    withBundle(name, { ...WAIT, env: ['OWN=2'] }, async (bundle) => {
      await bundle.run();
      assert.equal(await inside(bundle, ['/bin/sh', '-c', 'echo $OWN$EXTRA $$ > /tmp/out; exit 7']), 7);
      assert.match(bundle.file('/tmp/out'), /^21 \d+\n$/);
      assert.equal(await inside(bundle, ['/bin/sh', '-c', 'kill -TERM $$']), 128 + SIGTERM);
      await failsWith('COMMAND_NOT_FOUND', inside(bundle, ['no-such-command']));
      await failsWith('COMMAND_NOT_EXECUTABLE', inside(bundle, ['/etc/passwd']));
    }));

  test(`${name}: a detached exec goes on by itself`, () =>
    withBundle(name, WAIT, async (bundle) => {
      await bundle.run();
      assert.equal(await inside(bundle, ['/bin/sh', '-c', 'echo $$ > /tmp/pid; sleep 1000'], true), 0);
      assert.equal(await waitFor(() => bundle.file('/tmp/pid') !== '', LIMIT_MS), true);
      assert.equal((await bundle.runtime.ps(bundle.id)).length >= 3, true);
    }));

  test(`${name}: a checkpoint ends the container, and a restore lets it go on where it was`, () =>
    withBundle(name, COUNT, async (bundle) => {
      await bundle.run();
      await keepsCounting(bundle);
      await dump(bundle);
      assert.equal(existsSync(join(bundle.images, 'inventory.img')), true);
      assert.equal((await bundle.exit()).code, 128 + SIGKILL);
      const count = Number(bundle.file('/tmp/count'));
      await bundle.runtime.delete(bundle.id, { force: true });
      const { pid } = await thaw(bundle);
      assert.deepEqual(await bundle.runtime.state(bundle.id), { status: 'running', pid });
      await keepsCounting(bundle);
      const lines = bundle.log().trim().split('\n');
      assert.deepEqual(
        lines.slice(0, count + 1).map((line) => Number(line.split(' ')[3])),
        Array.from({ length: count + 1 }, (_, index) => index + 1),
        'the count goes on without a gap, in the same log',
      );
      assert.equal(await inside(bundle, ['/bin/true']), 0);
    }));

  test(`${name}: a terminal survives a checkpoint`, () =>
    withBundle(name, { ...COUNT, tty: true }, async (bundle) => {
      await bundle.run();
      await keepsCounting(bundle);
      await dump(bundle);
      await bundle.exit();
      await bundle.runtime.delete(bundle.id, { force: true });
      await thaw(bundle);
      await keepsCounting(bundle);
      assert.equal(await inside(bundle, ['/bin/sh', '-c', 'test -t 0 < /proc/1/fd/0']), 0);
    }));

  test(`${name}: a container left running by its checkpoint keeps its processes`, () =>
    withBundle(name, COUNT, async (bundle) => {
      const { pid } = await bundle.run();
      await keepsCounting(bundle);
      await dump(bundle, { leaveRunning: true });
      assert.deepEqual(await bundle.runtime.state(bundle.id), { status: 'running', pid });
      await keepsCounting(bundle);
    }));

  test(`${name}: what CRIU refuses fails with its log, and the container runs on`, () =>
    withBundle(name, CONNECTED, async (bundle) => {
      const { pid } = await bundle.run();
      await keepsCounting(bundle);
      const { log, message } = await failsWith('CHECKPOINT_FAILED', dump(bundle));
      assert.equal(message.includes('\n'), false);
      assert.equal(log?.path, join(bundle.directory, 'dump.log'));
      assert.match(log?.lines.join('\n') ?? '', /Error .*tcp/i);
      assert.deepEqual(await bundle.runtime.state(bundle.id), { status: 'running', pid });
      await keepsCounting(bundle);
    }));

  test(`${name}: a restore from incomplete images fails with its log and leaves no process`, () =>
    withBundle(name, COUNT, async (bundle) => {
      await bundle.run();
      await keepsCounting(bundle);
      await dump(bundle);
      await bundle.exit();
      await bundle.runtime.delete(bundle.id, { force: true });
      const pages = readdirSync(bundle.images).filter((file) => file.startsWith('core-'));
      for (const file of pages) await rm(join(bundle.images, file));
      const { log } = await failsWith('RESTORE_FAILED', thaw(bundle));
      assert.equal(log?.path, join(bundle.directory, 'restore.log'));
      assert.match(log?.lines.join('\n') ?? '', /Error /);
      await bundle.runtime.delete(bundle.id, { force: true });
      assert.equal(await bundle.runtime.state(bundle.id), undefined);
    }));

  test(`${name}: memory can be dumped before, and the last dump builds on it, where the kernel tracks memory`, async (context) => {
    if (!(await tracksMemory())) {
      context.skip('this kernel has no soft-dirty tracking');
      return;
    }
    await withBundle(name, COUNT, async (bundle) => {
      const earlier = join(bundle.directory, 'pre-checkpoint');
      await mkdir(earlier);
      await bundle.run();
      await keepsCounting(bundle);
      await dump(bundle, { imagePath: earlier, preDump: true });
      await keepsCounting(bundle);
      await dump(bundle, { parentPath: '../pre-checkpoint' });
      await bundle.exit();
      await bundle.runtime.delete(bundle.id, { force: true });
      await thaw(bundle);
      await keepsCounting(bundle);
    });
  });

  test(`${name}: the probe knows the version and that it can checkpoint`, () =>
    withBundle(name, WAIT, async ({ runtime, store }) => {
      const probe = await runtime.probe();
      assert.match(probe.version, /^\d+\.\d+/);
      assert.deepEqual(await runtime.canCheckpoint(), { able: true });
      assert.equal(readdirSync(join(store.runroot, 'probes')).length, 1, 'the answer is kept');
      assert.deepEqual(await runtime.probe(), probe);
    }));
}

/** `criu check --feature mem_dirty_track` succeeds. */
async function tracksMemory(): Promise<boolean> {
  return (await run(['criu', 'check', '--feature', 'mem_dirty_track'])).ok;
}

/**
 * crun knows cgroup v2 alone. Where the host has v1, the contract runs in a mount namespace with v2 in its place, in a
 * child of this test.
 */
function contractOnV2(name: string): void {
  test(`${name} keeps the contract on a host with cgroup v2`, async (context) => {
    if (findProgram(name) === undefined) {
      context.skip(`${name} is not installed`);
      return;
    }
    const script = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';
    const node = [process.execPath, '--test-reporter=spec', import.meta.filename];
    const result = await run(
      ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...node],
      { env: { CRYOPOD_TEST_RUNTIME: name } },
    );
    context.diagnostic(result.stdout);
    assert.equal(result.ok, true, result.stdout + result.stderr);
    assert.match(result.stdout, /pass [1-9]/, 'the tests ran');
  });
}

if (ONLY !== undefined) contract(ONLY);
else {
  contract('runc');
  if (hostFacts().cgroupVersion === 2) contract('crun');
  else contractOnV2('crun');
}
