import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { test } from 'node:test';
import {
  assertCounts,
  assertRefused,
  CHECKPOINTED,
  COUNT,
  checkpoint,
  eventually,
  IMAGE,
  inside,
  inspect,
  logLines,
  RUNNING,
  restore,
  start,
  startWithFlock,
  stateOf,
  untilLines,
  withSandbox,
} from './support.ts';

const FILES = '{{.State.CheckpointPath}}|{{.State.CheckpointLog}}|{{.State.RestoreLog}}';

test('Status:Running:Paused:Checkpointed is exited:false:false:true after a checkpoint and running:true:false:false with Restored after a restore', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, 'c');
    assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
    assert.equal(
      await inspect(box, 'c', '{{.State.Pid}} {{.State.ExitCode}} {{.State.Restored}}'),
      '0 0 false',
    );
    assert.match(await inspect(box, 'c', '{{.State.CheckpointedAt}}'), /^20/);
    assert.match(await box.ok(['ps', '-a', '--format', '{{.Status}}']), /^Exited \(0\) .* ago$/);
    assert.equal(await box.ok(['ps', '-q']), '');
    await restore(box, 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
    assert.equal(await inspect(box, 'c', '{{.State.Restored}}'), 'true');
    assert.match(await inspect(box, 'c', '{{.State.RestoredAt}}'), /^20/);
    assert.match(await box.ok(['ps', '--format', '{{.Names}} {{.Status}}']), /^c Up /);
  });
});

test('With --keep, inspect shows the checkpoint directory, dump.log and restore.log; stop then start clears all of these', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, '--keep', 'c');
    const [directory = '', dumpLog = '', none] = (await inspect(box, 'c', FILES)).split('|');
    assert.match(directory, /\/checkpoint$/);
    assert.match(dumpLog, /\/dump\.log$/);
    assert.equal(none, '');
    assert.ok(existsSync(directory) && existsSync(dumpLog));
    await restore(box, '--keep', 'c');
    const [again = '', dumped = '', restoreLog = ''] = (await inspect(box, 'c', FILES)).split('|');
    assert.deepEqual([again, dumped], [directory, dumpLog]);
    assert.match(restoreLog, /\/restore\.log$/);
    assert.ok(existsSync(directory) && existsSync(restoreLog));
    await box.ok(['stop', '-t', '0', 'c']);
    await box.ok(['start', 'c']);
    assert.equal(await inspect(box, 'c', FILES), '||');
    assert.equal(await inspect(box, 'c', '{{.State.Restored}} {{.State.Checkpointed}}'), 'false false');
  });
});

test('A kept checkpoint is restored a second time', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await untilLines(box, 'c', 5);
    await checkpoint(box, '--keep', 'c');
    const frozenAt = (await logLines(box, 'c')).length;
    await restore(box, '--keep', 'c');
    await untilLines(box, 'c', frozenAt + 10);
    await box.ok(['stop', '-t', '0', 'c']);
    const before = await logLines(box, 'c');
    await restore(box, '--keep', 'c');
    await untilLines(box, 'c', before.length + 3);
    const next = (await logLines(box, 'c'))[before.length];
    assert.equal(next, String(frozenAt + 1), 'it goes on where it was frozen, not where it was stopped');
  });
});

test('Without --keep, a restore consumes the checkpoint', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, 'c');
    const directory = await inspect(box, 'c', '{{.State.CheckpointPath}}');
    assert.ok(existsSync(directory));
    assert.equal(await inspect(box, 'c', '{{.State.CheckpointLog}}'), '');
    await restore(box, 'c');
    assert.equal(existsSync(directory), false);
    assert.equal(await inspect(box, 'c', FILES), '||');
    await box.ok(['stop', '-t', '0', 'c']);
    await assertRefused(
      box,
      ['container', 'restore', 'c'],
      /^Error: a complete checkpoint for this container cannot be found, cannot restore/,
    );
  });
});

test('-R leaves it Up; after a stop, a restore returns to the saved point', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', `echo begun > /state; ${COUNT}`);
    await untilLines(box, 'c', 5);
    await checkpoint(box, '-R', 'c');
    assert.equal(await stateOf(box, 'c'), RUNNING);
    const saved = (await logLines(box, 'c')).length;
    await untilLines(box, 'c', saved + 20);
    await box.ok(['stop', '-t', '0', 'c']);
    assert.equal(await stateOf(box, 'c'), 'exited:false:false:false');
    const before = await logLines(box, 'c');
    await restore(box, 'c');
    await untilLines(box, 'c', before.length + 3);
    const first = Number((await logLines(box, 'c'))[before.length]);
    assert.ok(first <= saved + 1, `goes on with ${first}, saved after ${saved}`);
    assertCounts(before);
  });
});

test('Pausing a checkpointed container: "exited" is not running, can\'t pause', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, 'c');
    await assertRefused(
      box,
      ['pause', 'c'],
      '"exited" is not running, can\'t pause: container state improper',
    );
    await assertRefused(
      box,
      ['container', 'checkpoint', 'c'],
      '"exited" is not running, cannot checkpoint: container state improper',
    );
    assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
    await restore(box, 'c');
  });
});

test('rm of a running container without -f exits 2, before and after a restore; a checkpointed one goes without -f', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    assert.equal((await box.cryopod(['rm', 'c'])).code, 2);
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.equal((await box.cryopod(['rm', 'c'])).code, 2);
    await checkpoint(box, 'c');
    const directory = await inspect(box, 'c', '{{.State.CheckpointPath}}');
    await box.ok(['rm', 'c']);
    assert.equal(existsSync(directory), false);
  });
});

test('A container beats an image of the same name', async () => {
  await withSandbox(async (box) => {
    await box.ok(['tag', IMAGE, 'localhost/both:latest']);
    const id = await start(box, 'both', COUNT);
    assert.equal(await box.ok(['inspect', '--format', '{{.Id}}', 'both']), id);
    await checkpoint(box, 'both');
    assert.equal(await restore(box, 'both'), 'both');
    assert.equal(await stateOf(box, 'both'), RUNNING);
  });
});

test('start of a checkpointed container begins anew and drops the checkpoint', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await untilLines(box, 'c', 10);
    await checkpoint(box, 'c');
    const before = (await logLines(box, 'c')).length;
    await box.ok(['start', 'c']);
    assert.equal(await stateOf(box, 'c'), RUNNING);
    await untilLines(box, 'c', before + 2);
    assert.equal((await logLines(box, 'c'))[before], '1');
    assert.equal(await inspect(box, 'c', FILES), '||');
  });
});

test('restore -a restores the checkpointed containers alone, not every one that has exited (podman takes them all)', async () => {
  await withSandbox(async (box) => {
    const frozen = await start(box, 'frozen', COUNT);
    await box.ok(['run', '--name', 'ended', IMAGE, 'true']);
    await checkpoint(box, 'frozen');
    const { code, stdout, stderr } = await box.cryopod(['container', 'restore', '-a']);
    assert.deepEqual([code, stdout, stderr], [0, `${frozen}\n`, '']);
    assert.equal(await stateOf(box, 'ended'), 'exited:false:false:false');
  });
});

test('What a checkpoint writes is private: 0700 and 0600', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await checkpoint(box, '--keep', 'c');
    const directory = await inspect(box, 'c', '{{.State.CheckpointPath}}');
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(`${directory}/inventory.img`).mode & 0o077, 0);
    assert.equal(statSync(`${directory}/pages-1.img`).mode & 0o077, 0);
  });
});

test('The cause of a failure is told and its log is kept (podman: "criu failed: type NOTIFY errno 0")', async () => {
  await withSandbox(async (box) => {
    await startWithFlock(box, 'c', 'flock /lock sleep 1000');
    await eventually(
      'the lock is held',
      async () => (await box.cryopod(['exec', 'c', 'flock', '-n', '/lock', 'true'])).code !== 0,
    );
    const { code, stderr } = await box.cryopod(['container', 'checkpoint', 'c']);
    assert.equal(code, 125);
    assert.doesNotMatch(stderr.split('\n')[0] ?? '', /criu failed: type NOTIFY/);
    assert.match(stderr, /--file-locks/);
    assert.equal(await inside(box, 'c', 'echo alive'), 'alive');
  });
});

test('A program that exec runs makes files that others may read, as the container’s own do', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', `umask > /own; ${COUNT}`);
    assert.equal(await inside(box, 'c', 'umask'), '0022');
    assert.equal(await inside(box, 'c', 'cat /own'), '0022');
  });
});
