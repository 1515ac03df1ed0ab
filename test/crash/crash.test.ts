import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../src/state/database.ts';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { eventually } from '../contract/support.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, leftovers, status, unfinished } from './support.ts';

/** The command that passes a fault point, by the first part of the point's name; what must have happened before it. */
const COMMANDS: Readonly<
  Record<string, { readonly before: readonly string[]; readonly command: readonly string[] }>
> = {
  create: { before: [], command: ['run'] },
  start: { before: [], command: ['run'] },
  checkpoint: { before: ['run'], command: ['container', 'checkpoint', 'c'] },
  durable: { before: ['run'], command: ['container', 'checkpoint', 'c'] },
  restore: { before: ['run', 'checkpoint'], command: ['container', 'restore', 'c'] },
  remove: { before: ['run'], command: ['rm', '-f', '-t', '0', 'c'] },
};

/** Into its log alone: an open file that changes after the checkpoint would rightly keep CRIU from going back to it. */
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done';
const RUN = [
  'run',
  '-d',
  '--name',
  'c',
  '-p',
  '127.0.0.1:0:80',
  'localhost/busybox:latest',
  'sh',
  '-c',
  COUNT,
];

const words = (command: readonly string[]): readonly string[] => (command[0] === 'run' ? RUN : command);

/** More lines may come while the last one is being read. */
const lastCount = async (box: Sandbox): Promise<number> =>
  Number((await box.ok(['logs', '--tail', '1', 'c'])).split('\n').at(-1));

/** Every container runs, or is stopped with a checkpoint that restores, or is stopped or gone because it never ran. */
async function assertWhole(box: Sandbox, ran: boolean): Promise<void> {
  const now = await status(box);
  if (now === 'exited:true') await box.ok(['container', 'restore', 'c']);
  if (now === 'exited:true' || now === 'running:false') {
    const before = await lastCount(box);
    await eventually('it counts', async () => (await lastCount(box)) > before);
    return;
  }
  assert.ok(!ran || now === '', `a container that ran is ${now}`);
  assert.ok(['', 'created:false', 'exited:false'].includes(now), `it is ${now}`);
}

async function breakAt(box: Sandbox, point: FaultPoint, action: string): Promise<void> {
  const plan = COMMANDS[point.split('.')[0] ?? ''];
  assert.ok(plan !== undefined, `no command is known that passes ${point}`);
  for (const step of plan.before) await box.ok(step === 'run' ? RUN : ['container', step, 'c']);
  const broken = await box.cryopod(words(plan.command), { CRYOPOD_FAULT: `${point}:${action}` });
  assert.notEqual(broken.code, 0, `${point}:${action} broke the command: ${broken.stderr}`);
  await assertWhole(box, plan.before.length > 0);
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  await box.ok(['rm', '-f', '-t', '0', 'c']);
}

/** Points that need more than a command on a container: archives.test.ts, lazy.test.ts, history.test.ts,
 * pre-checkpoint.test.ts, migrate.test.ts. */
const hasOwnSuite = (point: FaultPoint): boolean =>
  /^(?:export|import|pages|pre-checkpoint|delta|history|back|forget|migrate|receive|rounds)\./.test(point);

for (const point of FAULT_POINTS.filter((one) => !hasOwnSuite(one))) {
  test(`${point}: whatever breaks there, the container is whole afterwards and can be used again`, async () => {
    await withSandbox(async (box) => {
      for (const action of ACTIONS) await breakAt(box, point, action);
    });
  });
}

test('A container whose repair fails is left alone, but can be removed', async () => {
  await withSandbox(async (box) => {
    const id = await box.ok(RUN);
    const db = openDatabase(join(box.root, 'state.db'));
    try {
      // An archive's temporary file that cannot be removed, since it is a directory, left in an earlier boot.
      const data = JSON.stringify({ temp: box.directory });
      db.prepare(
        "INSERT INTO journal (operation, subject, data, pid, pid_start, boot_id, since) VALUES ('pre-export', ?, ?, 1, '', '', '')",
      ).run(id, data);
    } finally {
      db.close();
    }
    assert.equal((await box.cryopod(['stop', '-t', '0', 'c'])).code, 125);
    assert.equal(await status(box), 'running:false');
    const { code, stderr } = await box.cryopod(['rm', '-f', '-t', '0', 'c']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /is removed as it is/);
    assert.equal(await status(box), '');
  });
});
