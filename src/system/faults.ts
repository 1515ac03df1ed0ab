import { writeSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import { traceMoment } from './trace.ts';

/**
 * Names of the durable steps at which a test can make cryopod fail or die. A step joins by adding its name here and
 * calling {@link faultPoint}; a suite that iterates the list then covers it.
 */
export const FAULT_POINTS = [
  'durable.before-rename',
  'durable.after-rename',
  'create.recorded',
  'start.mounted',
  'start.network-ready',
  'start.monitor-started',
  'start.started',
  'hold.draining',
  'checkpoint.journalled',
  'checkpoint.held',
  'checkpoint.dumped',
  'checkpoint.published',
  'checkpoint.recorded',
  'pre-checkpoint.journalled',
  'pre-checkpoint.copied',
  'pre-checkpoint.published',
  'pre-checkpoint.archived',
  'delta.made',
  'delta.exported',
  'export.journalled',
  'export.opened',
  'export.frozen',
  'export.linked',
  'export.checkpointed',
  'export.finished',
  'export.published',
  'export.ended',
  'export.recorded',
  'import.read',
  'import.journalled',
  'import.created',
  'restore.journalled',
  'restore.mounted',
  'restore.running',
  'restore.released',
  'restore.recorded',
  'rounds.journalled',
  'rounds.sent',
  'rounds.kept',
  'migrate.journalled',
  'migrate.sent',
  'migrate.prepared',
  'migrate.handed-over',
  'migrate.committed',
  'migrate.arrived',
  'migrate.ended',
  'migrate.removed',
  'migrate.doubtful',
  'migrate.kept-here',
  'receive.asked',
  'image.sent',
  'image.come',
  'image.taken',
  'image.kept',
  'receive.taken',
  'receive.prepared',
  'receive.told',
  'receive.committed',
  'receive.pages',
  'receive.whole',
  'receive.running',
  'pages.journalled',
  'pages.serving',
  'pages.in',
  'pages.given-up',
  'history.journalled',
  'history.copied',
  'history.written',
  'history.published',
  'history.recorded',
  'history.ended',
  'back.journalled',
  'back.aside',
  'back.placed',
  'back.running',
  'forget.journalled',
  'forget.absorbed',
  'forget.replaced',
  'forget.recorded',
  'remove.journalled',
  'remove.unmounted',
  'remove.deleted',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

const ERRNO: Readonly<Record<string, string>> = { eio: 'i/o error', enospc: 'no space left on device' };

/** For a process of cryopod's own that this one starts: the fault may be asked for of a point in it. */
export const faultEnvironment = (): Record<string, string> =>
  process.env.CRYOPOD_FAULT === undefined ? {} : { CRYOPOD_FAULT: process.env.CRYOPOD_FAULT };
/** A second Ctrl-C would end the program at once; some points are passed several times. */
let hasSignalled = false;

/** What a user's Ctrl-C, a service manager and a lost terminal send. */
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = {
  kill: 'SIGKILL',
  sigint: 'SIGINT',
  sigterm: 'SIGTERM',
  sighup: 'SIGHUP',
  stop: 'SIGSTOP',
};

/** Nobody may hear a process that has gone into the background. */
function say(text: string): void {
  try {
    writeSync(2, text);
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
  }
}

/** How often this process has come to the point that is asked for. */
let times = 0;

/**
 * Does what `CRYOPOD_FAULT=name:action` asks for at this point: `kill`, `stop`, `sigint`, `sigterm` or `sighup` (that signal to
 * this process), `eio` or `enospc` (throws as the system call would). `name@2:action` asks for the second time that the
 * process comes there alone. Without the variable: nothing.
 */
export function faultPoint(name: FaultPoint): void {
  traceMoment(name);
  const wanted = process.env.CRYOPOD_FAULT;
  if (wanted === undefined) return;
  const [place = '', action] = wanted.split(':');
  const [point, time] = place.split('@');
  if (point !== name || action === undefined) return;
  times += 1;
  if (time !== undefined && times !== Number(time)) return;
  const signal = SIGNALS[action];
  if (signal !== undefined && !hasSignalled) {
    hasSignalled = true;
    say(`fault point ${name}: ${action}\n`);
    process.kill(process.pid, signal);
  }
  const text = ERRNO[action];
  if (text === undefined) return;
  throw Object.assign(new Error(`${action.toUpperCase()}: ${text}, fault point ${name}`), {
    code: action.toUpperCase(),
  });
}
