import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../contract/support.ts';
import { imageName } from '../fixtures/images.ts';
import { memoryCommand, memoryProgram } from '../fixtures/memory.ts';
import { type Result, type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const MIB = 1 << 20;
/** What cryopod and all its programs may use. The container, which is outside of that, has more. */
const LIMIT = 300 * MIB;
const CONTAINER_MIB = 400;
const MEMORY = '/sys/fs/cgroup/memory';

/** Runs a command in a cgroup; gives how it ended. */
async function inCgroup(box: Sandbox, cgroup: string, args: readonly string[]): Promise<Result> {
  const script = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  const child = spawn('sh', ['-c', script, cgroup, ...box.argv, ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

test('a container with more memory than cryopod may use is exported and goes on, and nobody is killed for memory', async (t) => {
  if (!existsSync(join(MEMORY, 'memory.limit_in_bytes'))) return t.skip('no memory controller of cgroup v1');
  const cgroup = join(MEMORY, `cryopod-test-${process.pid}`);
  await withSandbox(
    async (box) => {
      await box.ok(memoryCommand('c', CONTAINER_MIB, imageName('perl')));
      const program = await memoryProgram(box, 'c');
      await mkdir(cgroup);
      try {
        await writeFile(join(cgroup, 'memory.limit_in_bytes'), String(LIMIT));
        for (const [index, more] of [['--leave-running'], []].entries()) {
          const archive = join(box.directory, `c-${index}.tar.zst`);
          const { code, stderr } = await inCgroup(box, cgroup, [
            ...['container', 'checkpoint', ...more],
            ...['--export', archive, 'c'],
          ]);
          assert.equal(code, 0, stderr);
        }
        await box.ok(['rm', 'c']);
        const importing = ['container', 'restore', '--import', join(box.directory, 'c-1.tar.zst')];
        const { code, stderr } = await inCgroup(box, cgroup, importing);
        assert.equal(code, 0, stderr);
        await program.verify(box);
        assert.match(readFileSync(join(cgroup, 'memory.oom_control'), 'utf8'), /^oom_kill 0$/m);
      } finally {
        await box.ok(['rm', '--force', '--time', '0', '--ignore', 'c']);
        // The monitor, which was started in it, ends a moment later than the container.
        await eventually(
          'the cgroup is empty',
          async () => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === '',
        );
        await rmdir(cgroup);
      }
    },
    { images: ['perl'] },
  );
});
