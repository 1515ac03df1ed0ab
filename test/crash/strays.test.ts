import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupfsPath } from '../../src/runtime/spec/resources.ts';
import { cgroupExists, cgroupProcesses } from '../../src/system/cgroups.ts';
import { findProgram } from '../../src/system/tools.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { assertCountsOn, assertSettled, idOf, lastCount, RUN, status } from './support.ts';

/** Stands for a runtime that was killed before it had noted what CRIU has brought back to life: it finds nothing to delete. */
const FORGETFUL = `#!/bin/sh
for word; do [ "$word" = delete ] && exit 0; done
exec ${findProgram('runc')} "$@"
`;

test('processes that were restored and that their runtime does not know are ended with the restore that fails', async () => {
  await withSandbox(async (box) => {
    await box.ok(RUN);
    const cgroup = cgroupfsPath(idOf(box));
    const tools = join(box.directory, 'tools');
    await mkdir(tools);
    await writeFile(join(tools, 'runc'), FORGETFUL);
    await chmod(join(tools, 'runc'), 0o755);
    for (const action of ['eio', 'kill']) {
      const before = lastCount(box);
      await box.ok(['container', 'checkpoint', 'c']);
      const forgetful = { CRYOPOD_FAULT: `restore.running:${action}`, PATH: `${tools}:${process.env.PATH}` };
      const { code } = await box.cryopod(['container', 'restore', 'c'], forgetful);
      assert.notEqual(code, 0);
      // After the kill, what repairs it meets the same runtime.
      await box.cryopod(['ps'], { PATH: forgetful.PATH });
      assert.deepEqual(cgroupProcesses(cgroup), [], action);
      assert.equal(cgroupExists(cgroup), false, action);
      assert.equal(await status(box), 'exited:true');
      await assertSettled(box);
      // What the true one has noted of them.
      await box.cryopod(['container', 'restore', 'c']);
      if ((await status(box)) !== 'running:false') await box.ok(['container', 'restore', 'c']);
      await assertCountsOn(box, before);
    }
  });
});
