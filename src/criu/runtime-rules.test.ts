import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnoseRuntime } from './runtime-rules.ts';

/** Messages of runc 1.1.5 (as it printed them) and crun 1.21 (of its source). */
const MEANINGS: readonly (readonly [message: string, sentence: RegExp])[] = [
  [
    'runc: CRIU version check failed: exec: "criu": executable file not found in $PATH',
    /^the runtime does not find criu$/,
  ],
  [
    'crun: could not load `libcriu.so.2`: `libcriu.so.2: cannot open shared object file`',
    /libcriu\.so\.2 is missing/,
  ],
  [
    'runc: CRIU version 30000 must be 31100 or higher',
    /^the runtime needs at least CRIU 31100, and found 30000$/,
  ],
  ['runc: criu failed: signal: killed', /^CRIU was killed/],
  ['runc: read unixpacket @->@: recvmsg: connection reset by peer', /^CRIU was killed/],
  ['runc: CRIU version check failed: read criu-xprt-cln: connection reset by peer', /^CRIU was killed/],
  ['crun: CRIU memory tracking not supported', /lacks a feature/],
  [
    'runc: stat /srv/conf: no such file or directory',
    /^\/srv\/conf cannot be used: no such file or directory$/,
  ],
];

for (const [message, sentence] of MEANINGS) {
  test(`"${message}" is understood`, () => {
    assert.match(diagnoseRuntime(message)?.sentence ?? '', sentence);
  });
}

test('a message that nobody knows is left as it is', () => {
  assert.equal(diagnoseRuntime('runc: container does not exist'), undefined);
});
