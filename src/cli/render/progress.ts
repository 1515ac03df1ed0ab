import type { Progress, ProgressEvent } from '../../model/progress.ts';
import { humanSize } from './human.ts';

/** Where progress goes: a terminal's line that is written again and again, JSON lines, or nowhere. */
export type ProgressMode = 'line' | 'json' | 'none';

export interface ProgressSink {
  readonly write: (text: string) => void;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** A line is written at most this often, in milliseconds, so that progress costs nothing. */
const INTERVAL = 100;

const CLEAR_LINE = '\r\x1b[K';

/** Seconds as `1:05` or `2:03:04`. */
function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** One line about an event: phase, subject, bytes, share, rate and remaining time as far as they are known. */
export function progressLine(event: ProgressEvent, seconds: number): string {
  const { phase, subject, bytes, totalBytes } = event;
  const parts = [`${phase} ${subject}`];
  if (bytes !== undefined) {
    parts.push(totalBytes === undefined ? humanSize(bytes) : `${humanSize(bytes)}/${humanSize(totalBytes)}`);
    if (totalBytes !== undefined && totalBytes > 0) parts.push(`${Math.floor((bytes / totalBytes) * 100)}%`);
    if (bytes > 0 && seconds > 0) {
      const rate = bytes / seconds;
      parts.push(`${humanSize(rate)}/s`);
      if (totalBytes !== undefined && totalBytes > bytes)
        parts.push(`ETA ${clock((totalBytes - bytes) / rate)}`);
    }
  }
  return parts.join('  ');
}

/** Control characters in names must not reach the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, '?');

function lineProgress(sink: ProgressSink, now: () => number): Progress {
  let key = '';
  let start = 0;
  let last = Number.NEGATIVE_INFINITY;
  return (event) => {
    const time = now();
    if (`${event.phase} ${event.subject}` !== key) {
      key = `${event.phase} ${event.subject}`;
      start = time;
      last = Number.NEGATIVE_INFINITY;
    }
    if (event.done === true) {
      sink.write(CLEAR_LINE);
    } else if (time - last >= INTERVAL) {
      last = time;
      const line = printable(progressLine(event, (time - start) / 1000));
      sink.write(CLEAR_LINE + line.slice(0, Math.max(1, sink.columns - 1)));
    }
  };
}

/**
 * Renders progress. `line` keeps one line on a terminal and removes it when the work is done; `json` writes each
 * event as a line of JSON; `none` is silent. `now` in milliseconds.
 */
export function renderProgress(
  mode: ProgressMode,
  sink: ProgressSink,
  now: () => number = Date.now,
): Progress {
  if (mode === 'line') return lineProgress(sink, now);
  return mode === 'json' ? (event) => sink.write(`${JSON.stringify(event)}\n`) : () => undefined;
}

/** JSON where asked for, a line on a terminal, silence in a pipe. */
export const progressMode = (isTerminal: boolean, json: boolean): ProgressMode =>
  json ? 'json' : isTerminal ? 'line' : 'none';
