import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from '../../../src/system/clock.ts';

/** The size that the scenarios give the program memory.c. */
export const MEMORY_MIB = 32;

/** Bytes that memory.c rewrites in a tick (REWRITTEN pages). */
export const BYTES_PER_TICK = 8 * 4096;

const PROGRAM = 'memory';
const PATIENCE = 90_000;

/** What memory.c writes to /state. */
interface State {
  readonly ticks: number;
  readonly checks: number;
  readonly bad: number;
}

/** Waits until the one process of memory.c has come so far, and returns its ticks. */
export async function reach(ticks: number): Promise<number> {
  const state = await waitFor(() => {
    const now = stateOf(onlyProcess());
    return now !== undefined && now.ticks >= ticks ? now : undefined;
  }, PATIENCE);
  assert.ok(
    state,
    `memory reaches ${ticks} ticks, but its state is ${JSON.stringify(stateOf(onlyProcess()))}`,
  );
  return state.ticks;
}

/** Lets the process go on for some ticks; returns its ticks before. */
export async function goOn(ticks: number): Promise<number> {
  const before = await reach(0);
  await reach(before + ticks);
  return before;
}

/** Lets the process check all its words. Fails the test if one is wrong, or if it has gone back behind `floor` ticks. */
export async function checkMemory(floor: number): Promise<number> {
  await reach(floor);
  const pid = runningMemory();
  const { checks = 0 } = stateOf(pid) ?? {};
  process.kill(pid, 'SIGUSR1');
  const state = await waitFor(() => {
    const now = stateOf(pid);
    return now !== undefined && now.checks > checks ? now : undefined;
  }, PATIENCE);
  assert.ok(state, 'memory answers SIGUSR1 with a check');
  assert.equal(state.bad, 0, `${state.bad} of ${(MEMORY_MIB << 20) / 8} words are wrong`);
  return state.ticks;
}

/** Waits until no process of memory.c is left. */
export async function gone(): Promise<void> {
  assert.ok(await waitFor(() => processes().length === 0, PATIENCE), 'no process of memory is left');
}

/** The PID of the one process of memory.c. */
export function runningMemory(): number {
  const pid = onlyProcess();
  assert.ok(pid !== undefined, 'one process of memory runs');
  return pid;
}

function onlyProcess(): number | undefined {
  const [pid, second] = processes();
  return second === undefined ? pid : undefined;
}

const processes = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && read(`/proc/${pid}/comm`) === `${PROGRAM}\n`);

function stateOf(pid: number | undefined): State | undefined {
  const [ticks, checks, bad] = read(`/proc/${pid ?? 0}/root/state`)
    .split(' ')
    .map(Number);
  if (ticks === undefined || checks === undefined || bad === undefined) return undefined;
  return { ticks, checks, bad };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended, or has written nothing yet.
    return '';
  }
}
