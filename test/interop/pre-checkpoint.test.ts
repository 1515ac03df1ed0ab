import { join } from 'node:path';
import { test } from 'node:test';
import { imageName } from '../fixtures/images.ts';
import { memoryCommand, memoryProgram } from '../fixtures/memory.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { openPodmanPeer } from './podman-peer.ts';

test('podman restores a pre-checkpoint and the checkpoint after it, and every word of memory is as it was left', async (t) => {
  await withSandbox(
    async (box) => {
      const podman = await openPodmanPeer(join(box.directory, 'podman'));
      if (podman === undefined) return t.skip('podman is not installed');
      try {
        const file = (name: string): string => join(box.directory, `${name}.tar`);
        const image = imageName('perl');
        await box.ok(['save', '--quiet', '--output', file('image'), image]);
        await podman.ok(['load', '--quiet', '--input', file('image')]);
        const limits = ['--ulimit', 'nproc=1024:1024', '--ulimit', 'nofile=1024:1024'];
        const [run = '', ...rest] = memoryCommand('c', 16, image);
        await box.ok([run, ...limits, ...rest]);
        const program = await memoryProgram(box, 'c');
        await box.ok(['container', 'checkpoint', '--pre-checkpoint', 'c']);
        await program.change(box);
        await box.ok(['container', 'checkpoint', '--pre-checkpoint', '--export', file('pre'), 'c']);
        await program.change(box);
        await box.ok(['container', 'checkpoint', '--with-previous', '--export', file('c'), 'c']);
        await box.ok(['rm', 'c']);
        await podman.ok(['container', 'restore', '--import-previous', file('pre'), '--import', file('c')]);
        await program.verify(podman);
      } finally {
        await podman.close();
      }
    },
    { images: ['perl'] },
  );
});
