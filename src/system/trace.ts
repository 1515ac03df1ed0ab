import { appendFileSync, existsSync, writeFileSync } from 'node:fs';

/**
 * Where the time goes: with `CRYOPOD_TRACE=FILE` every stage, child program and durable step is written into FILE in the
 * form that chrome://tracing and ui.perfetto.dev read (Trace Event Format, JSON array without its closing bracket, which
 * that format allows, so that several commands can add to one file). Without the variable: nothing.
 */
const path = process.env.CRYOPOD_TRACE;

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

if (path !== undefined) {
  events.push(span('node starts', Math.round(performance.timeOrigin * 1000), now()));
  process.once('exit', () => writeEvents(path));
}

function span(name: string, from: number, to: number, tid: number = process.pid): TraceEvent {
  return { name, ph: 'X', ts: from, dur: to - from, pid: process.pid, tid };
}

/** Begins a stage; the returned function ends it. `tid`: the PID of the child program that it is about. */
export function beginTrace(name: string, tid?: number): () => void {
  if (path === undefined) return () => undefined;
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
  if (path !== undefined) events.push({ name, ph: 'i', ts: now(), pid: process.pid, tid: process.pid });
}

/** At the end of the process, when nothing can wait any more. */
function writeEvents(file: string): void {
  events.push(span('cryopod', Math.round(performance.timeOrigin * 1000), now()));
  if (!existsSync(file)) writeFileSync(file, '[\n', { mode: 0o600 });
  appendFileSync(file, events.map((event) => `${JSON.stringify(event)},\n`).join(''));
}
