import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openRuntime } from './runtime.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-runtime-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** What a runtime with this help is called with for a checkpoint. */
async function checkpointArgs(name: string, help: string): Promise<string[]> {
  const path = join(directory, name);
  const calls = join(directory, `${name}.calls`);
  const script = `#!/bin/sh
case "$*" in
--version) echo "runc version 9.9" ;;
"checkpoint --help") echo "${help}" ;;
*) printf '%s\\n' "$@" >${calls} ;;
esac
`;
  writeFileSync(path, script, { mode: 0o755 });
  const store = { root: join(directory, 'root'), runroot: join(directory, `run-${name}`) };
  const runtime = openRuntime(store, path, { cgroupManager: 'cgroupfs' });
  await runtime.checkpoint('c', {
    imagePath: '/images',
    workPath: '/work',
    leaveRunning: false,
    tcpEstablished: false,
    fileLocks: false,
    flags: ['--link-remap'],
  });
  return readFileSync(calls, 'utf8').trimEnd().split('\n');
}

test("a runtime gets the flags that its help lists, since its silence would overrule CRIU's configuration file", async () => {
  const known = await checkpointArgs('runc-new', '   --image-path value  x\n   --link-remap        y');
  assert.deepEqual(known.slice(-2), ['--link-remap', 'c']);
  const unknown = await checkpointArgs('runc-old', '   --image-path value  x');
  assert.ok(!unknown.includes('--link-remap'), unknown.join(' '));
  assert.equal(unknown.at(-1), 'c');
});
