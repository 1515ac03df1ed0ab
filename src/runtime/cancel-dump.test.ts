import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../system/clock.ts';
import { type ProcessStat, processesWorkingOn } from '../system/procfs.ts';
import { endAbandoned } from './cancel-dump.ts';

/**
 * Stands for a CRIU that tries the kernel: forks a child that sleeps, and one that asks its parent to trace it (ptrace(2),
 * PTRACE_TRACEME) and stops; with `late`, only once another is its parent.
 */
const CRIU = `
use POSIX qw(uname);
my ($file, $late) = @ARGV;
$0 = 'criu';
my $parent = $$;
open my $held, '>', $file or die;
if (fork() == 0) { sleep 60 while 1 }
if (fork() == 0) {
  if ($late) { select undef, undef, undef, 0.01 while getppid() == $parent }
  syscall((uname())[4] eq 'x86_64' ? 101 : 117, 0, 0, 0, 0);
  kill 'STOP', $$;
  exit 0;
}
sleep 60 while 1;
`;

/** Stands for a runtime that restores: CRIU is its child, and so is a process that CRIU has made beside itself. */
const RUNTIME = `
my ($file, $criu) = @ARGV;
if (fork() == 0) { exec 'perl', '-e', $criu, $file }
if (fork() == 0) { $0 = 'criu'; open my $held, '>', $file or die; sleep 60 while 1 }
sleep 60 while 1;
`;

interface Work {
  readonly file: string;
  readonly child: ChildProcess;
  /** Processes of CRIU at work on the file. */
  readonly found: () => ProcessStat[];
}

/** Runs one of the programs above with a file to work on. */
async function work(t: TestContext, program: string, ...args: readonly string[]): Promise<Work> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-abandoned-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'file');
  const child = spawn('perl', ['-e', program, file, ...args], { stdio: 'ignore' });
  const found = (): ProcessStat[] => processesWorkingOn(file, /^criu/).filter(({ state }) => state !== 'Z');
  t.after(() => {
    child.kill('SIGKILL');
    for (const { pid } of found()) process.kill(pid, 'SIGKILL');
  });
  return { file, child, found };
}

const until = async (what: string, condition: () => boolean): Promise<void> =>
  assert.ok(await waitFor(condition, 10_000), what);

test('what a killed CRIU has left sleeping, or waiting for a tracer, is ended', async (t) => {
  const { file, child, found } = await work(t, CRIU, '1');
  await until('it has forked', () => found().length === 3);
  endAbandoned(file);
  assert.equal(found().length, 3, 'while it lives, its own are left alone');
  child.kill('SIGKILL');
  await until('one waits for a tracer', () => found().some(({ state }) => state === 't'));
  assert.equal(found().length, 2);
  endAbandoned(file);
  await until('both have ended', () => found().length === 0);
});

test('what a living CRIU traces is left alone', async (t) => {
  const { file, found } = await work(t, CRIU);
  await until('it traces one', () => found().some(({ state }) => state === 't'));
  const before = found().length;
  endAbandoned(file);
  assert.equal(found().length, before);
});

test('what a living CRIU has made beside itself is left alone, and ended when that has been killed', async (t) => {
  const { file, found } = await work(t, RUNTIME, CRIU);
  await until('all are there', () => found().length === 4);
  endAbandoned(file);
  assert.equal(found().length, 4);
  const criu = found().find(({ isFork }) => !isFork);
  assert.ok(criu);
  process.kill(criu.pid, 'SIGKILL');
  await until('it is dead', () => found().every(({ isFork }) => isFork));
  endAbandoned(file);
  await until('all have ended', () => found().length === 0);
});
