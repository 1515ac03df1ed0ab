import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { imageName } from '../fixtures/images.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { edited, editImage, type Field } from './image-edits.ts';
import { assertNothingMade, takenApart } from './taken-apart.ts';

/** Keeps a deleted file open, whose directory is gone as well. */
const GHOST = 'mkdir "$1"; exec 3>"$1/x"; echo evil >&3; rm "$1/x"; rmdir "$1"';
const WAIT = 'echo ready; while :; do sleep 1000; done';

/** CRIU makes and removes names: also what is gone again at once counts. Fails where the host's directory changes. */
async function untouched(directory: string, work: () => Promise<void>): Promise<void> {
  await mkdir(directory);
  const seen: string[] = [];
  const watcher = watch(directory, (_, name) => seen.push(String(name)));
  try {
    await work();
  } finally {
    watcher.close();
  }
  assert.deepEqual(seen, [], 'nothing is made or removed on the host');
}

const untilReady = async (box: Sandbox): Promise<void> => {
  while (!(await box.ok(['logs', 'c'])).includes('ready'));
};

test('An archive cannot make CRIU write on the host by the name of a deleted file, not even with --trust', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box, { program: ['sh', '-c', `${GHOST}; ${WAIT}`, 'sh', '/d'] });
    const canary = join(box.directory, 'canary');
    await editImage(apart, /^files\.img$/, (entries) =>
      entries.map((entry) =>
        // file_entry.reg of fdinfo.proto, reg_file_entry.name of regfile.proto.
        edited(entry, [3], (fields) =>
          fields.map(([id, value]): Field => {
            const isName = id === 6 && Buffer.from(value as Uint8Array).toString() === '/d/x';
            return [id, isName ? Buffer.from(`/d/${'../'.repeat(40)}${canary.slice(1)}/x`) : value];
          }),
        ),
      ),
    );
    const archive = await apart.pack();
    await untouched(canary, async () => {
      const { code, stderr } = await box.cryopod(['container', 'restore', '--trust', '-i', archive]);
      assert.equal(code, 125);
      assert.match(stderr, /files\.img has a name that no open file has: "\/d\/\.\.\//);
    });
    await assertNothingMade(box);
  });
});

test('A container cannot make CRIU write on the host by a link in the place of the directory of a deleted file', async () => {
  await withSandbox(async (box) => {
    for (const [index, directory] of ['/d', '/dev/d', '/data/d'].entries()) {
      const canary = join(box.directory, `canary-${index}`);
      const script = [GHOST, `ln -s "${canary}" "$1"`, WAIT].join('; ');
      const run = ['run', '-d', '--name', 'c', '--network', 'none', '-v', 'data:/data'];
      await box.ok([...run, imageName('busybox'), 'sh', '-c', script, 'sh', directory]);
      await untilReady(box);
      await box.ok(['container', 'checkpoint', 'c']);
      await untouched(canary, async () => {
        const { code, stderr } = await box.cryopod(['container', 'restore', 'c']);
        assert.equal(code, 125, directory);
        assert.match(
          stderr,
          /^Error: cannot restore c: .*\/d\/x\S* open, whose name leads through a symbolic/m,
        );
      });
      assert.equal(await box.ok(['inspect', '--format', '{{.State.Checkpointed}}', 'c']), 'true');
      await box.ok(['rm', 'c']);
    }
  });
});
