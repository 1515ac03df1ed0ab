import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { processesWorkingOn } from '../../src/system/procfs.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { withSandbox } from '../fixtures/sandbox.ts';

/** Memory in which a dump and a restore can be caught in the middle; the program can tell whether it is as it was. */
const HOG = `
  x=$(head -c 200000000 /dev/zero | tr '\\0' y); i=0
  while true; do i=$((i+1)); echo "\${#x} $i" > /dev/shm/count; sleep 0.05; done`;

const CRIU = /^(?:criu|ld-linux)/;

for (const verb of ['checkpoint', 'restore'] as const) {
  test(`a ${verb} that is killed while CRIU works leaves a container that is whole`, async () => {
    await withSandbox(async (box) => {
      await box.ok([
        'run',
        '-d',
        '--name',
        'c',
        '--network',
        'none',
        'localhost/busybox:latest',
        'sh',
        '-c',
        HOG,
      ]);
      const count = (): Promise<string> =>
        box.ok(['exec', 'c', 'sh', '-c', 'until cat /dev/shm/count; do sleep 0.1; done 2>/dev/null']);
      const [, before = '0'] = (await count()).split(' ');
      if (verb === 'restore') await box.ok(['container', 'checkpoint', 'c']);
      const command = box.start(['container', verb, 'c']);
      const caught = await waitFor(() => processesWorkingOn(box.root, CRIU).length > 0, LIMIT_MS);
      assert.ok(caught, 'CRIU is at work');
      command.kill('SIGKILL');
      await once(command, 'exit');
      const status = await box.ok(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c']);
      if (status !== 'running:false') {
        assert.equal(status, 'exited:true');
        await box.ok(['container', 'restore', 'c']);
      }
      const [size, after = '0'] = (await count()).split(' ');
      assert.equal(size, '200000000');
      assert.ok(Number(after) >= Number(before), `it counts on: ${before}, ${after}`);
    });
  });
}
