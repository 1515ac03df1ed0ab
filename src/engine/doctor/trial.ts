import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../../system/clock.ts';
import { type RunResult, run } from '../../system/process.ts';
import { processStat } from '../../system/procfs.ts';

/** Seconds that the process for the trial would live by itself: it is gone even if doctor is killed. */
const LIFE_SECONDS = '30';
/** Milliseconds for each step; they take some tens. */
const STEP_LIMIT_MS = 10_000;

export type TrialResult =
  | { readonly ok: true; readonly milliseconds: number }
  | { readonly ok: false; readonly step: 'dump' | 'restore'; readonly reason: string };

/**
 * Freezes a process of its own to disk with CRIU and thaws it: some kernels break a CRIU whose own check succeeds. Works
 * below `directory`, which exists. Leaves nothing.
 */
export async function tryCriu(criu: string, directory: string): Promise<TrialResult> {
  const images = await mkdtemp(join(directory, 'doctor-'));
  let pid = 0;
  const ended = run(['sleep', LIFE_SECONDS], {
    cwd: '/',
    newSession: true,
    stdout: 'ignore',
    stderr: 'ignore',
    onSpawn: (child) => {
      pid = child.pid ?? 0;
    },
  });
  try {
    return await roundTrip(criu, images, pid);
  } finally {
    killQuietly(pid);
    await ended;
    await rm(images, { recursive: true, force: true });
  }
}

async function roundTrip(criu: string, images: string, pid: number): Promise<TrialResult> {
  const start = performance.now();
  // The program must be in place before it is frozen: until exec the child still is cryopod.
  await waitFor(() => processStat(pid)?.name === 'sleep', STEP_LIMIT_MS);
  const dump = await call([criu, 'dump', '--tree', String(pid)], images);
  if (!dump.ok) return { ok: false, step: 'dump', reason: await reasonOf(dump, images, 'dump') };
  const gone = await waitFor(() => [undefined, 'Z'].includes(processStat(pid)?.state), STEP_LIMIT_MS);
  if (gone === undefined) return { ok: false, step: 'dump', reason: 'the process still runs after its dump' };
  // Its PID must be free again; Node reaps it.
  await waitFor(() => processStat(pid) === undefined, STEP_LIMIT_MS);
  const restore = await call([criu, 'restore', '--restore-detached'], images);
  if (!restore.ok) return { ok: false, step: 'restore', reason: await reasonOf(restore, images, 'restore') };
  if (processStat(pid)?.name !== 'sleep') {
    return { ok: false, step: 'restore', reason: 'the process ended when it was thawed' };
  }
  return { ok: true, milliseconds: Math.round(performance.now() - start) };
}

const call = (command: readonly string[], images: string): Promise<RunResult> =>
  run([...command, '--images-dir', images, '--log-file', `${command[1]}.log`, '-v2'], {
    timeout: STEP_LIMIT_MS,
  });

/** The error lines of CRIU's log, without their time stamps. */
async function reasonOf(result: RunResult, images: string, step: string): Promise<string> {
  const log = await readFile(join(images, `${step}.log`), 'utf8').catch(() => '');
  const lines = log.split('\n').filter((line) => line.includes('Error ('));
  const shown = lines
    .slice(0, 3)
    .map((line) => line.replace(/^\(\d+\.\d+\)\s*/, '').replace(/^\s*\d+:\s*/, ''));
  return shown.join('; ') || result.stderr.trim() || `exit status ${result.code ?? 'unknown'}`;
}

function killQuietly(pid: number): void {
  // Only what still is the process of the trial.
  if (pid > 0 && processStat(pid)?.name === 'sleep') process.kill(pid, 'SIGKILL');
}
