import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { messageOf } from '../model/errors.ts';
import { logWarning } from './log.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Where the time goes: with `CRYOPOD_TRACE=FILE` every stage, child program and durable step is written into FILE in the
 * form that chrome://tracing and ui.perfetto.dev read (Trace Event Format, JSON array without its closing bracket, which
 * that format allows, so that several commands can add to one file). Without the variable: nothing.
 */
const file = openTrace(process.env.CRYOPOD_TRACE);

interface TraceEvent {
  readonly name: string;
  /** X: with a duration. i: a moment. */
  readonly ph: 'X' | 'i';
  /** Microseconds since the epoch. */
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  /** Child programs have a line of their own in the picture. */
  readonly tid: number;
}

const events: TraceEvent[] = [];

const now = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);

if (file !== undefined) {
  events.push(span('node starts', Math.round(performance.timeOrigin * 1000), now()));
  process.once('exit', () => writeEvents(file));
}

function span(name: string, from: number, to: number, tid: number = process.pid): TraceEvent {
  return { name, ph: 'X', ts: from, dur: to - from, pid: process.pid, tid };
}

/** Begins a stage; the returned function ends it. `tid`: the PID of the child program that it is about. */
export function beginTrace(name: string, tid?: number): () => void {
  if (file === undefined) return () => undefined;
  const from = now();
  return () => {
    events.push(span(name, from, now(), tid));
  };
}

/** Runs `work` as a stage, also where it fails. */
export async function traced<T>(name: string, work: () => Promise<T>): Promise<T> {
  const end = beginTrace(name);
  try {
    return await work();
  } finally {
    end();
  }
}

/** Notes a moment. */
export function traceMoment(name: string): void {
  if (file !== undefined) events.push({ name, ph: 'i', ts: now(), pid: process.pid, tid: process.pid });
}

/** Where the environment of root comes from another user, the file must not lead elsewhere. Undefined: no trace. */
function openTrace(path: string | undefined): number | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.uid === process.geteuid?.()) return fd;
    closeSync(fd);
    throw new Error('it is no regular file of this user');
  } catch (error) {
    logWarning(`no trace is written to ${path}: ${messageOf(error)}`);
    return undefined;
  }
}

/** At the end of the process, when nothing can wait any more. */
function writeEvents(fd: number): void {
  events.push(span('cryopod', Math.round(performance.timeOrigin * 1000), now()));
  const head = fstatSync(fd).size === 0 ? '[\n' : '';
  writeSync(fd, head + events.map((event) => `${JSON.stringify(event)},\n`).join(''));
}
