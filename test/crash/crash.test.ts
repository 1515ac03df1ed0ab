import assert from 'node:assert/strict';
import { test } from 'node:test';
import { establishedConnections } from '../../src/network/connections.ts';
import { eventually } from '../contract/support.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { breakEverywhere } from './breaking.ts';
import {
  assertCountsOn,
  assertSettled,
  COUNT,
  IMAGE,
  lastCount,
  REMOVE,
  RUN,
  rows,
  status,
  TALK,
} from './support.ts';

const CHECKPOINT = ['container', 'checkpoint', 'c'];
const RESTORE = ['container', 'restore', 'c'];
const STOP = ['stop', '-t', '0', 'c'];

test('run that breaks leaves a container that can be removed, or none', (t) =>
  withSandbox(async (box) => {
    await breakEverywhere(t, box, {
      name: 'run',
      command: () => RUN,
      begin: async () => {
        // Asks the runtime what works here, once.
        for (const each of [REMOVE, RUN, REMOVE]) await box.ok(each);
      },
      after: async () => {
        const now = await status(box);
        await assertSettled(box);
        if (now === 'running:false') await assertCountsOn(box);
        assert.ok(['', 'created:false', 'exited:false', 'running:false'].includes(now), `it is ${now}`);
        if (now !== '') await box.ok(REMOVE);
        return false;
      },
      rewind: async () => {
        await assertCountsOn(box);
        await box.ok(REMOVE);
      },
    });
  }));

test('checkpoint that breaks leaves a container that goes on, or its complete checkpoint', (t) =>
  withSandbox(async (box) => {
    const keep = ['--tcp-established', 'c'];
    const command = ['container', 'checkpoint', ...keep];
    let before = 0;
    const rewind = async (): Promise<void> => {
      assert.equal(await status(box), 'exited:true');
      before = lastCount(box);
      await box.ok(['container', 'restore', ...keep]);
      await assertCountsOn(box, before);
    };
    await breakEverywhere(t, box, {
      name: 'checkpoint',
      command: () => command,
      begin: async () => {
        await box.ok(REMOVE);
        await box.ok([...RUN.slice(0, -1), TALK]);
        const pid = Number(await box.ok(['inspect', '--format', '{{.State.Pid}}', 'c']));
        await eventually('it has a connection', async () => establishedConnections(pid).length === 2);
        // Asks CRIU what works here, once.
        await box.ok(command);
        await rewind();
      },
      after: async () => {
        const isDone = (await status(box)) === 'exited:true';
        await assertSettled(box);
        if (!isDone) await assertCountsOn(box, before);
        return isDone;
      },
      rewind,
    });
  }));

test('checkpoint --leave-running that breaks leaves a container that goes on, and a complete checkpoint', (t) =>
  withSandbox(async (box) => {
    const command = ['container', 'checkpoint', '--leave-running', 'c'];
    /** There is a checkpoint in any case: the one before, or the new one. */
    const rewind = async (): Promise<void> => {
      await assertCountsOn(box);
      await box.ok(STOP);
      await box.ok([...RESTORE, '--keep']);
      await assertCountsOn(box);
    };
    await breakEverywhere(t, box, {
      name: 'checkpoint --leave-running',
      command: () => command,
      begin: async () => {
        for (const each of [REMOVE, RUN, command]) await box.ok(each);
        await rewind();
      },
      after: async ({ isLast }) => {
        await assertCountsOn(box);
        await assertSettled(box);
        return isLast;
      },
      rewind,
    });
  }));

test('restore that breaks leaves the complete checkpoint, or a container that goes on', (t) =>
  withSandbox(async (box) => {
    let before = 0;
    const freeze = async (): Promise<void> => {
      await box.ok(CHECKPOINT);
      before = lastCount(box);
    };
    await breakEverywhere(t, box, {
      name: 'restore',
      command: () => RESTORE,
      begin: async () => {
        await box.ok(REMOVE);
        await box.ok(RUN);
        await freeze();
      },
      after: async () => {
        const now = await status(box);
        await assertSettled(box);
        if (now !== 'running:false') assert.equal(now, 'exited:true');
        return now === 'running:false';
      },
      rewind: async () => {
        await assertCountsOn(box, before);
        await freeze();
      },
    });
  }));

test('rm and container prune that break leave the container, or nothing of it', (t) =>
  withSandbox(async (box) => {
    const removed = async (): Promise<boolean> => {
      const now = await status(box);
      await assertSettled(box);
      if (now === '') assert.deepEqual(rows(box, 'SELECT * FROM containers'), []);
      return now === '';
    };
    for (const [name, command, more] of [
      ['rm', ['rm', '-f', '-t', '0', 'c'], []],
      ['container prune', ['container', 'prune', '-f'], [STOP]],
    ] as const) {
      const begin = async (): Promise<void> => {
        await box.ok(REMOVE);
        for (const each of [RUN, ...more]) await box.ok(each);
      };
      await breakEverywhere(t, box, {
        name,
        command: () => command,
        begin,
        after: removed,
        rewind: async () => {
          assert.ok(await removed());
          await begin();
        },
      });
    }
  }));

test('A container whose repair fails is left alone, but can be removed', async () => {
  await withSandbox(async (box) => {
    const id = await box.ok(['run', '-d', '--name', 'c', '--network', 'none', IMAGE, 'sh', '-c', COUNT]);
    // An archive's temporary file that cannot be removed, since it is a directory, left in an earlier boot.
    const data = JSON.stringify({ temp: box.directory });
    rows(
      box,
      `INSERT INTO journal (operation, subject, data, pid, pid_start, boot_id, since)
       VALUES ('pre-export', '${id}', '${data}', 1, '', '', '')`,
    );
    assert.equal((await box.cryopod(['stop', '-t', '0', 'c'])).code, 125);
    assert.equal(await status(box), 'running:false');
    const { code, stderr } = await box.cryopod(['rm', '-f', '-t', '0', 'c']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /is removed as it is/);
    assert.equal(await status(box), '');
  });
});

test('After a checkpoint that failed or was killed, the monitor settles the end of its container again', async () => {
  await withSandbox(async (box) => {
    await box.ok(['run', '-d', '--name', 'c', '--network', 'none', IMAGE, 'sh', '-c', COUNT]);
    await box.ok([...CHECKPOINT, '--leave-running']);
    for (const action of ['eio', 'kill']) {
      const broken = await box.cryopod(CHECKPOINT, { CRYOPOD_FAULT: `durable.before-rename:${action}` });
      assert.notEqual(broken.code, 0);
      assert.equal(await status(box), 'running:false');
      process.kill(Number(await box.ok(['inspect', '--format', '{{.State.Pid}}', 'c'])), 'SIGKILL');
      // No command looks at it meanwhile.
      const recorded = (): string => JSON.stringify(rows(box, "SELECT state ->> 'status' FROM containers"));
      await eventually('its end is recorded', async () => recorded().includes('exited'));
      await box.ok(['start', 'c']);
    }
  });
});
