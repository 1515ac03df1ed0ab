import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCommand, memoryProgram } from '../fixtures/memory.ts';
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
