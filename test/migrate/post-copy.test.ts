import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/system/process.ts';
import { eventually } from '../contract/support.ts';
import { memoryCommand, memoryProgram } from '../fixtures/memory.ts';
import { via, withPair } from '../fixtures/moving.ts';
import { withTwoHosts } from '../fixtures/two-hosts.ts';

test('post-copy: a container runs before its memory is there, and every page of it comes, there and back', async () => {
  await withTwoHosts(
    async ({ one, two }) => {
      await one.box.ok(memoryCommand('m', 128, await one.box.image('perl')));
      const program = await memoryProgram(one.box, 'm');
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        await program.change(from.box);
        const moved = await from.box.cryopod(['migrate', '--mode', 'post-copy', 'm', to.login]);
        assert.equal(moved.code, 0, moved.stderr);
        assert.match(moved.stdout, /^m runs at root@.* \(post-copy: asked for\)$/m);
        assert.match(moved.stderr, /m will run at root@\S+ before its memory is there/);
        await program.change(to.box);
        await program.verify(to.box);
        assert.equal(await from.box.ok(['ps', '-aq']), '');
        assert.equal(await to.box.ok(['inspect', '--format', '{{.State.CheckpointPath}}', 'm']), '');
      }
    },
    { images: ['perl'] },
  );
});

const RESTLESS = readFileSync(join(import.meta.dirname, '../fixtures/programs/restless.pl'), 'utf8');

test('post-copy: memory that is moved, freed, emptied or given to a child before it is there is as it must be', async () => {
  await withTwoHosts(
    async ({ one, two }) => {
      const options = ['--network', 'none', '--env', 'MALLOC_MMAP_THRESHOLD_=131072'];
      const perl = [await one.box.image('perl'), 'perl', '-e', RESTLESS, '96'];
      await one.box.ok(['run', '-d', '--name', 'm', ...options, ...perl]);
      const says = async (at: typeof one, line: string): Promise<boolean> =>
        (await at.box.ok(['logs', 'm'])).split('\n').includes(line);
      await eventually('it is ready', () => says(one, 'ready'));
      const command = one.box.start(['migrate', '--mode', 'post-copy', '--bwlimit', '16m', 'm', two.login]);
      command.stdout?.resume();
      command.stderr?.resume();
      const ended = once(command, 'close');
      const names = ['ps', '--format', '{{.Names}}'];
      await eventually('it runs there', async () => (await two.box.ok(names)) === 'm');
      assert.equal(command.exitCode, null, 'memory is under way');
      for (const round of [1, 2, 3, 4]) {
        await two.box.ok(['kill', '--signal', 'USR1', 'm']);
        await eventually(`round ${round} is well`, () => says(two, `done ${round} ok`));
      }
      assert.deepEqual(await ended, [0, null]);
    },
    { images: ['perl'] },
  );
});

/** Open files that no container's memory leaves room for, and no right to have more. */
const FEW_FILES = ['setpriv', '--bounding-set=-sys_resource', 'prlimit', '--nofile=500:500'];

test('a dry run tells of the mode what a start is refused for', async () => {
  await withPair(async ({ one, other }) => {
    const migrate = [...FEW_FILES, ...one.argv, 'migrate', ...via(other)];
    const refusal = /cannot migrate c with --mode post-copy: CRIU needs \d+ open files .*allows 500/;
    const looked = await run([...migrate, '--dry-run', '--mode', 'post-copy', 'c']);
    assert.notEqual(looked.code, 0);
    assert.match(looked.stdout, refusal);
    assert.match(looked.stdout, /c cannot be migrated/);
    const begun = await run([...migrate, '--mode', 'post-copy', 'c']);
    assert.match(begun.stderr, refusal);
    assert.match(begun.stderr, /; c goes on running\nHint: Use --mode cold or pre-copy\./);
    const cold = await run([...migrate, '--dry-run', '--mode', 'cold', 'c']);
    assert.equal(cold.code, 0, cold.stdout);
  });
});
