import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { withSandbox } from '../fixtures/sandbox.ts';

/**
 * crun works with cgroup v2 alone: on a host with v1 it gets a mount namespace in which /sys/fs/cgroup is v2. All
 * commands run in that one, since the container's root file system is mounted in it.
 */
const IN_CGROUP_V2 = `
  set -e
  mount --make-rprivate /
  umount --recursive /sys/fs/cgroup
  mount -t cgroup2 none /sys/fs/cgroup
  "$@" --runtime crun run -d --name c -p 127.0.0.1:0:80 localhost/busybox:latest \\
    sh -c 'nc -ll -p 9 -e cat & mkfifo f; exec 4<>f; (until nc 127.0.0.1 9 <f; do sleep 0.1; done) & i=0; while true; do i=$((i+1)); echo $i > /count; sleep 0.05; done' > /dev/null
  until "$@" exec c test -s /count; do :; done
  until "$@" exec c grep -q ' 01 ' /proc/net/tcp; do :; done
  "$@" exec c cat /count
  "$@" container checkpoint --tcp-established c > /dev/null
  "$@" inspect --format '{{.OCIRuntime}} {{.State.Status}} {{.State.Checkpointed}}' c
  "$@" container restore --tcp-established c > /dev/null
  "$@" exec c cat /count
  "$@" rm -f -t 0 c > /dev/null
  set +e
  "$@" --runtime crun run --rm localhost/busybox:latest /no/such/command
  echo $?
`;

test('a container of crun is frozen and thawed with its connections, and a command that is not there ends with 127', async () => {
  await withSandbox(async (box) => {
    const command = ['-m', '--propagation', 'private', 'sh', '-c', IN_CGROUP_V2, 'sh', ...box.argv];
    const shell = spawn('unshare', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'exit')]);
    const [before, state, after, missing] = stdout.trim().split('\n');
    assert.equal(state, 'crun exited true', stderr);
    assert.ok(Number(before) > 0 && Number(after) >= Number(before), `it counts on: ${before}, ${after}`);
    assert.equal(missing, '127');
    assert.match(stderr, /no.such.command/);
  });
});
