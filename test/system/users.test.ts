import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** Counts as the user it runs as, and in a child as user 33: lines `USER COUNT`. */
const COUNT = `
  $| = 1;
  if (!fork) { ($(, $)) = (33, "33 33"); ($<, $>) = (33, 33); }
  for (my $i = 1;; $i++) { print "$< $i\\n"; select undef, undef, undef, 0.05; }`;

/** Counts of each user so far, by user ID. */
async function counts(box: Sandbox): Promise<ReadonlyMap<string, readonly number[]>> {
  const users = new Map<string, number[]>();
  for (const line of (await box.ok(['logs', 'c'])).split('\n')) {
    const [user = '', count = ''] = line.split(' ');
    users.set(user, [...(users.get(user) ?? []), Number(count)]);
  }
  return users;
}

async function untilEachCounts(box: Sandbox, users: readonly string[], more: number): Promise<void> {
  const before = await counts(box);
  const goal = (user: string): number => (before.get(user)?.length ?? 0) + more;
  const done = await waitFor(async () => {
    const now = await counts(box);
    return users.every((user) => (now.get(user)?.length ?? 0) >= goal(user));
  }, LIMIT_MS);
  assert.equal(done, true, 'all processes go on');
}

/** Freezes and thaws a container and sees that the processes of all its users go on where they were. */
async function survives(box: Sandbox, users: readonly string[]): Promise<void> {
  await untilEachCounts(box, users, 3);
  await box.ok(['container', 'checkpoint', 'c']);
  await box.ok(['container', 'restore', 'c']);
  await untilEachCounts(box, users, 3);
  for (const [user, numbers] of await counts(box)) {
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      `the count of user ${user} has no gap`,
    );
  }
}

test('Processes of several users are frozen and thawed, each with its own rights', () =>
  withSandbox(
    async (box) => {
      await box.ok(['run', '-d', '--name', 'c', await box.image('perl'), 'perl', '-e', COUNT]);
      await survives(box, ['0', '33']);
      const owners = await box.ok(['exec', 'c', 'sh', '-c', 'stat -c %u /proc/[0-9]*']);
      assert.deepEqual(new Set(owners.split('\n')), new Set(['0', '33']));
    },
    { images: [] },
  ));

test('A container that runs as another user keeps its limits over a checkpoint', () =>
  withSandbox(async (box) => {
    const options = ['-u', '1000:1000', '--ulimit', 'nofile=500:600', '--ulimit', 'core=-1:-1'];
    const script = 'i=0; while :; do i=$((i+1)); echo "1000 $i"; sleep 0.05; done';
    await box.ok(['run', '-d', '--name', 'c', ...options, await box.image('busybox'), 'sh', '-c', script]);
    const limits = (): Promise<string> => box.ok(['exec', '-u', 'root', 'c', 'cat', '/proc/1/limits']);
    const before = await limits();
    assert.match(before, /^Max open files +500 +600 /m);
    assert.match(before, /^Max core file size +unlimited +unlimited /m);
    await survives(box, ['1000']);
    assert.equal(await limits(), before);
  }));
