import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CryopodError, type ErrorCode, fail } from '../../model/errors.ts';
import type { Progress } from '../../model/progress.ts';
import type { DeltaFigures } from './figures.ts';
import type { LiveJob } from './live.ts';
import type { RewriteJob } from './rewrite.ts';
import type { StreamJob } from './stream.ts';

/** Work that begins and ends by itself. */
export type Job = RewriteJob | LiveJob;
/** Work of the thread. */
export type AnyJob = Job | StreamJob;

/** What the thread sends: bytes so far, and one of the others at the end of its work, or of a part of it. */
export interface Report {
  readonly bytes?: number;
  readonly figures?: DeltaFigures;
  readonly failure?: Failure;
}

export interface Failure {
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: ErrorCode;
  readonly hint?: string | undefined;
  readonly errno?: string | undefined;
}

export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** Runs from the sources, and from the bundle, which has a file of its own for it (scripts/build.ts). */
export const WORKER = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, 'worker.ts')
  : join(import.meta.dirname, 'delta-worker.cjs');

/** Does a job in a thread of its own. Fails as the job does, with INTERRUPTED once `signal` fires. */
export async function runJob(job: Job, phase: string, options: JobOptions): Promise<DeltaFigures> {
  const { signal, progress } = options;
  if (signal?.aborted === true) fail('INTERRUPTED', { message: `${phase}: interrupted` });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WORKER, { workerData: { job, stop } });
  const abort = (): void => void Atomics.store(stop, 0, 1);
  signal?.addEventListener('abort', abort);
  try {
    const { figures, failure } = await lastReport(worker, (bytes) =>
      progress?.({ phase, subject: job.into, bytes }),
    );
    if (figures !== undefined) return figures;
    throw errorOf(failure, phase);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Waits until the thread has ended. */
function lastReport(worker: Worker, onBytes: (bytes: number) => void): Promise<Report> {
  return new Promise((resolve, reject) => {
    let last: Report = {};
    worker.on('message', (report: Report) => {
      if (report.bytes === undefined) last = report;
      else onBytes(report.bytes);
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(last));
  });
}

export function errorOf(failure: Failure | undefined, phase: string): Error {
  const { message, code, errno, hint, stack } = failure ?? {
    message: `${phase}: the thread ended without a word`,
  };
  if (code !== undefined) return new CryopodError(code, { message, hint });
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new CryopodError('NO_SPACE', { message: `${phase}: ${message}` });
  return Object.assign(new Error(message), errno === undefined ? {} : { code: errno }, { stack });
}
