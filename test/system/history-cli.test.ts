import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { processesWorkingOn } from '../../src/system/procfs.ts';
import { assertRefused, CHECKPOINTED, COUNT, inside, start, stateOf } from '../contract/support.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { assertWhole, historyOf, type Listed, tag } from './history-support.ts';

test('What cannot work with a name is refused, and the container goes on', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await tag(box, 'c', 'one');
    const again = ['container', 'checkpoint', '--tag', 'one', 'c'];
    await assertRefused(box, again, 'container c has a checkpoint one already; it goes on running');
    const looked = await box.cryopod(['container', 'checkpoint', '--dry-run', '--tag', 'one', 'c']);
    assert.notEqual(looked.code, 0);
    assert.match(looked.stdout, /container c has a checkpoint one already/);
    assert.equal((await box.cryopod(['container', 'checkpoint', '--dry-run', '--tag', 'new', 'c'])).code, 0);
    await assertRefused(
      box,
      ['container', 'checkpoint', '--dry-run', '--tag', '../x', 'c'],
      /^Error: checkpoint name "\.\.\/x"/,
    );
    await assertRefused(
      box,
      ['container', 'checkpoint', '--tag', '../x', 'c'],
      /^Error: checkpoint name "\.\.\/x"/,
    );
    await assertRefused(
      box,
      ['container', 'checkpoint', '--tag', 'x', '-e', `${box.directory}/x.tar`, 'c'],
      '--tag cannot be used with --export',
    );
    await assertRefused(
      box,
      ['container', 'checkpoint', '--ignore-volumes', 'c'],
      /can only be used with --export$/,
    );
    await start(box, 'r', COUNT, '--rm');
    await assertRefused(
      box,
      ['container', 'checkpoint', '--tag', 'one', 'r'],
      "cannot checkpoint containers that have been started with '--rm' unless '--export' is used",
    );
    assert.match(await box.ok(['ps', '-q']), /^\w+\n\w+$/);
    await assertWhole(box, ['one']);
  });
});

test('A restore by name is refused where it would lose or hurt something', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT, '-v', 'data:/data');
    await tag(box, 'c', 'one');
    const back = ['container', 'restore', 'c@one'];
    await assertRefused(box, back, /is running or paused, cannot restore: container state improper$/);
    await assertRefused(box, ['container', 'restore', 'c@two'], 'container c has no checkpoint two');
    await assertRefused(box, ['container', 'restore', 'x@two'], /^Error: no such container or image: x@two$/);
    await assertRefused(box, [...back, '-p', '8080:80'], '--publish of a named checkpoint needs --name');
    await box.ok(['container', 'checkpoint', 'c']);
    await assertRefused(box, back, 'c has a checkpoint without a name, which going back to one would lose');
    assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
    await box.ok(['container', 'restore', 'c']);
    await box.ok(['stop', '-t', '0', 'c']);
    await start(box, 'other', COUNT, '-v', 'data:/data');
    await assertRefused(
      box,
      back,
      /^Error: the volume data of c is used by other too\. Use --ignore-volumes/,
    );
    const seen = await box.cryopod(['container', 'restore', '--dry-run', 'c@one']);
    assert.match(seen.stdout, /OBSTACLE {2}volumes/);
    await box.ok([...back, '--ignore-volumes']);
    await inside(box, 'c', 'true');
  });
});

test('A container with named checkpoints is removed only by force, and not in passing', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await tag(box, 'c', 'one');
    await box.ok(['rename', 'c', 'd']);
    await box.ok(['stop', '-t', '0', 'd']);
    await assertRefused(box, ['rm', 'd'], 'container d has the checkpoint one, which would be lost with it');
    assert.equal(await box.ok(['container', 'prune', '--force']), '');
    await box.ok(['start', 'd']);
    await box.ok(['stop', '-t', '0', 'd']);
    await box.ok(['container', 'restore', 'd@one']);
    await box.ok(['rm', '-f', '-t', '0', 'd']);
    assert.equal(await box.ok(['checkpoint', 'ls', '--quiet']), '');
  });
});

test('prune keeps what its rules keep, says beforehand what it would remove, and never removes all', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    for (const name of ['one', 'two', 'three', 'four']) await tag(box, 'c', name);
    await assertRefused(box, ['checkpoint', 'prune', 'c'], /^Error: nothing would be kept/);
    const prune = ['checkpoint', 'prune', 'c', '--keep-last', '2'];
    assert.equal(await box.ok([...prune, '--dry-run']), 'c@two\nc@one');
    await assertWhole(box, ['one', 'two', 'three', 'four']);
    assert.equal(await box.ok(prune), 'c@two\nc@one');
    await assertWhole(box, ['three', 'four']);
    await box.ok(['stop', '-t', '0', 'c']);
    await box.ok(['container', 'restore', 'c@four']);
    assert.equal(await box.ok(['checkpoint', 'ls', '-q']), 'c@three\nc@four');
  });
});

/** Runs take as long as the machine is busy. */
async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  assert.ok(await waitFor(condition, 120_000), `${what}: not within two minutes`);
}

const runsOf = async (box: Sandbox, name: string): Promise<Listed[]> =>
  (await historyOf(box, name)).filter(({ Automatic }) => Automatic);

const supervisors = (box: Sandbox): number[] =>
  processesWorkingOn(box.root, /^(?:node|MainThread)/)
    .map(({ pid }) => pid)
    .filter((pid) => pid !== process.pid);

test('A schedule makes checkpoints, removes its own old ones, survives its process, and ends', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await tag(box, 'c', 'mine');
    await box.ok(['checkpoint', 'schedule', 'c', '--every', '2s', '--keep-last', '2']);
    let seen = new Set<string>();
    await eventually('three runs', async () => {
      seen = new Set([...seen, ...(await runsOf(box, 'c')).map(({ Name }) => Name)]);
      return seen.size >= 3;
    });
    await eventually('two are kept', async () => (await runsOf(box, 'c')).length === 2);
    assert.equal((await historyOf(box))[0]?.Name, 'mine', 'a checkpoint that a user made stays');
    assert.match(await box.ok(['checkpoint', 'schedule']), /c +2s +last 2 /);
    for (const pid of supervisors(box)) process.kill(pid, 'SIGKILL');
    const before = await runsOf(box, 'c');
    await eventually('it goes on after its process was killed', async () => {
      const [newest] = (await runsOf(box, 'c')).toReversed();
      return before.every(({ Name }) => Name !== newest?.Name);
    });
    await box.ok(['stop', '-t', '0', 'c']);
    await eventually('a run that was missed shows', async () =>
      (await runsOf(box, 'c')).some(
        ({ Status, Message }) => Status === 'missed' && /is not running/.test(Message),
      ),
    );
    await box.ok(['checkpoint', 'schedule', 'c', '--stop']);
    const gone = await waitFor(() => supervisors(box).length === 0, LIMIT_MS);
    assert.ok(gone, 'no process stays without a schedule');
    await box.ok(['checkpoint', 'verify', 'c']);
  });
});

test('A run of a schedule that fails shows with its reason', async () => {
  await withSandbox(
    async (box) => {
      const lock = 'open(F, ">/l"); flock(F, 2); $| = 1; print "ready\\n"; sleep(1) while 1';
      await box.ok(['run', '-d', '--name', 'c', await box.image('perl'), 'perl', '-e', lock]);
      await eventually('it has its lock', async () => (await box.ok(['logs', 'c'])).includes('ready'));
      await box.ok(['checkpoint', 'schedule', 'c', '--every', '1s', '--keep-last', '2']);
      await eventually('a failed run', async () =>
        (await runsOf(box, 'c')).some(
          ({ Status, Message }) => Status === 'failed' && /file lock/.test(Message),
        ),
      );
      assert.match(await box.ok(['checkpoint', 'ls', 'c']), /failed: cannot checkpoint c: .* file lock/);
      await box.ok(['checkpoint', 'schedule', 'c', '--every', '1s', '--keep-last', '2', '--file-locks']);
      await eventually('a run that works', async () =>
        (await runsOf(box, 'c')).some(({ Status }) => Status === 'complete'),
      );
    },
    { images: ['perl'] },
  );
});
