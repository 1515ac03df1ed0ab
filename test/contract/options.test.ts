import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHECKPOINTED,
  COUNT,
  checkpoint,
  inspect,
  RUNNING,
  restore,
  type Sandbox,
  start,
  stateOf,
  withSandbox,
} from './support.ts';

/** The command succeeds with exactly this on stdout and nothing on stderr. */
async function assertPrints(box: Sandbox, args: readonly string[], lines: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await box.cryopod(args);
  assert.deepEqual([code, stdout, stderr], [0, lines.map((line) => `${line}\n`).join(''), '']);
}

test('stdout prints each container as it was typed, in its order; stderr is empty', async () => {
  await withSandbox(async (box) => {
    await start(box, 'one', COUNT);
    const two = await start(box, 'two', COUNT);
    const typed = ['two', 'one'];
    await assertPrints(box, ['container', 'checkpoint', ...typed], typed);
    await assertPrints(box, ['container', 'restore', 'one', two.slice(0, 12)], ['one', two.slice(0, 12)]);
  });
});

test('With -a and -l, stdout prints the full ID', async () => {
  await withSandbox(async (box) => {
    const one = await start(box, 'one', COUNT);
    const two = await start(box, 'two', COUNT);
    await assertPrints(box, ['container', 'checkpoint', '-l'], [two]);
    assert.equal(await stateOf(box, 'one'), RUNNING);
    await assertPrints(box, ['container', 'restore', '--latest'], [two]);
    await assertPrints(box, ['container', 'checkpoint', '--all'], [one, two]);
    assert.equal(await stateOf(box, 'one'), CHECKPOINTED);
    assert.equal(await stateOf(box, 'two'), CHECKPOINTED);
    await assertPrints(box, ['container', 'restore', '-a'], [one, two]);
    assert.equal(await stateOf(box, 'two'), RUNNING);
  });
});

test('With -a and nothing to do, nothing is printed', async () => {
  await withSandbox(async (box) => {
    await assertPrints(box, ['container', 'checkpoint', '-a'], []);
    await assertPrints(box, ['container', 'restore', '-a'], []);
  });
});

test('Options stand before or after the names', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await assertPrints(box, ['container', 'checkpoint', 'c', '--keep'], ['c']);
    assert.match(await inspect(box, 'c', '{{.State.CheckpointLog}}'), /dump\.log$/);
    await assertPrints(box, ['container', 'restore', 'c', '-k'], ['c']);
    assert.match(await inspect(box, 'c', '{{.State.RestoreLog}}'), /restore\.log$/);
  });
});

test('Short options may be clustered (-kl), and --keep=false is allowed', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await assertPrints(box, ['container', 'checkpoint', '-kl'], [id]);
    assert.match(await inspect(box, 'c', '{{.State.CheckpointLog}}'), /dump\.log$/);
    await assertPrints(box, ['container', 'restore', '-lk=false'], [id]);
    assert.equal(await inspect(box, 'c', '{{.State.CheckpointPath}}'), '');
    await assertPrints(box, ['container', 'checkpoint', '--keep=false', '--leave-running=true', 'c'], ['c']);
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.equal(await inspect(box, 'c', '{{.State.CheckpointLog}}'), '');
  });
});

test('One that cannot be frozen does not keep the others from it; the exit status is 125', async () => {
  await withSandbox(async (box) => {
    await start(box, 'one', COUNT);
    await box.ok(['run', '--name', 'ended', 'localhost/busybox', 'true']);
    await start(box, 'two', COUNT);
    const { code, stdout, stderr } = await box.cryopod(['container', 'checkpoint', 'one', 'ended', 'two']);
    assert.deepEqual([code, stdout], [125, 'one\ntwo\n']);
    assert.match(stderr, /^Error: "exited" is not running, cannot checkpoint: container state improper\n/);
    assert.equal(await stateOf(box, 'two'), CHECKPOINTED);
  });
});

type Statistics = Readonly<Record<string, unknown>> & {
  readonly container_statistics: readonly (Readonly<Record<string, unknown>> & {
    readonly criu_statistics: Readonly<Record<string, number>>;
  })[];
};

test('--print-stats of a checkpoint: JSON in microseconds, podman > runtime > frozen', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    const stats = JSON.parse(await checkpoint(box, '--print-stats', 'c')) as Statistics;
    const whole = Number(stats.podman_checkpoint_duration);
    const [of] = stats.container_statistics;
    assert.ok(of !== undefined && stats.container_statistics.length === 1);
    assert.deepEqual([of.Id, of.RawInput], [id, 'c']);
    assert.deepEqual(Object.keys(of.criu_statistics), [
      'freezing_time',
      'frozen_time',
      'memdump_time',
      'memwrite_time',
      'pages_scanned',
      'pages_written',
    ]);
    const runtime = Number(of.runtime_checkpoint_duration);
    const { frozen_time = 0, pages_written = 0 } = of.criu_statistics;
    assert.ok(
      whole > runtime && runtime > frozen_time && frozen_time > 0,
      `${whole} ${runtime} ${frozen_time}`,
    );
    assert.ok(pages_written > 0);
  });
});

test('--print-stats of a restore: JSON in microseconds, podman > runtime > restore', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    await checkpoint(box, 'c');
    const stats = JSON.parse(await restore(box, '--print-stats', '-l')) as Statistics;
    const whole = Number(stats.podman_restore_duration);
    const [of] = stats.container_statistics;
    assert.ok(of !== undefined && stats.container_statistics.length === 1);
    assert.equal(of.Id, id);
    assert.deepEqual(Object.keys(of.criu_statistics), ['forking_time', 'restore_time', 'pages_restored']);
    const runtime = Number(of.runtime_restore_duration);
    const { restore_time = 0, pages_restored = 0 } = of.criu_statistics;
    assert.ok(
      whole > runtime && runtime > restore_time && restore_time > 0,
      `${whole} ${runtime} ${restore_time}`,
    );
    assert.ok(pages_restored > 0);
  });
});
