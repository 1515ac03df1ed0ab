import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../system/clock.ts';
import { processesWorkingOn, tracerOf } from '../system/procfs.ts';
import { endAbandoned } from './cancel-dump.ts';

/**
 * Stands for a CRIU that tries the kernel: forks a child that asks its parent to trace it (ptrace(2), PTRACE_TRACEME) and stops.
 * `late`: only once its parent has been killed, and another is its parent.
 */
const TRIER = `
use POSIX qw(uname);
my ($file, $late) = @ARGV;
$0 = 'criu';
my $parent = $$;
if (fork() == 0) {
  open my $held, '>', $file or die;
  if ($late) { select undef, undef, undef, 0.01 while getppid() == $parent }
  syscall((uname())[4] eq 'x86_64' ? 101 : 117, 0, 0, 0, 0);
  kill 'STOP', $$;
  exit 0;
}
kill 'KILL', $$ if $late;
sleep 60;
`;

test('what a killed CRIU has left waiting for a tracer is ended, and what a CRIU traces is not', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-abandoned-'));
  t.after(() => rm(directory, { recursive: true }));
  const stopped = (name: string): number[] =>
    processesWorkingOn(join(directory, name), /^criu/)
      .filter(({ state }) => state === 't')
      .map(({ pid }) => pid);
  const children = ['', '1'].map((late) =>
    spawn('perl', ['-e', TRIER, join(directory, `file${late}`), late], { stdio: 'ignore' }),
  );
  t.after(() => children.map((child) => child.kill('SIGKILL')));
  assert.ok(await waitFor(() => stopped('file1').length === 1 && stopped('file').length >= 1, 10_000));
  const [left] = stopped('file1') as [number];
  assert.notEqual(tracerOf(left)?.name, 'criu');
  endAbandoned(directory);
  assert.ok(await waitFor(() => processesWorkingOn(join(directory, 'file1'), /^criu/).length === 0, 10_000));
  const traced = stopped('file');
  assert.ok(traced.length > 0);
  for (const pid of traced) process.kill(pid, 'SIGKILL');
});
