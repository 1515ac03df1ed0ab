import { mkdir, rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { fail } from '../../model/errors.ts';
import type { DeltaFigures } from './figures.ts';
import { type AnyJob, errorOf, type JobOptions, type Report, WORKER } from './job.ts';
import type { StreamJob } from './stream.ts';

export type StreamDeltaOptions = Omit<StreamJob, 'verb'> & JobOptions;

/** A delta in the making; one call at a time. After an error only `discard` is of use. */
export interface StreamedDelta {
  /** The directory that it is made in. */
  readonly into: string;
  /** Reads the pages file of this name from a descriptor to its end; CRIU makes all other images in the directory `images`. */
  readonly take: (images: string, name: string, fd: number) => Promise<void>;
  /** Once the dump has ended. `into` has its files then, none of them synced. */
  readonly finish: (images: string) => Promise<DeltaFigures>;
  /** Ends the work and removes `into`. Idempotent; nothing to do after `finish`. */
  readonly discard: () => Promise<void>;
}

/** What the thread is asked for; it answers each with a report. */
export type StreamRequest = { readonly images: string } & (
  | { readonly number: number; readonly fd: number }
  | { readonly number?: undefined }
);

/**
 * Makes the directory `into` (0700): a delta to `parent` of a dump that is to be made, whose pages come as streams
 * (archive/writer-pages.ts), so that the whole of memory is never on the disk. The processes stand still meanwhile. All
 * is ready for the first stream when this returns. There is no link to the parent. Errors of all calls: IMAGE_INVALID, NO_SPACE,
 * INTERRUPTED.
 */
export async function streamDelta(options: StreamDeltaOptions): Promise<StreamedDelta> {
  const { signal, progress, into, ...rest } = options;
  if (signal?.aborted === true) fail('INTERRUPTED', { message: 'compare: interrupted' });
  await mkdir(into, { mode: 0o700 });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const job: AnyJob = { verb: 'stream', into, ...rest };
  const worker = new Worker(WORKER, { workerData: { job, stop } });
  const abort = (): void => void Atomics.store(stop, 0, 1);
  signal?.addEventListener('abort', abort);
  const onBytes = (bytes: number): void => progress?.({ phase: 'compare', subject: into, bytes });
  const ask = (request: StreamRequest): Promise<Report> => {
    const answer = nextReport(worker, onBytes);
    worker.postMessage(request);
    return answer;
  };
  let isOver = false;
  const end = async (): Promise<void> => {
    isOver = true;
    signal?.removeEventListener('abort', abort);
    await worker.terminate();
  };
  const discard = async (): Promise<void> => {
    if (isOver) return;
    abort();
    await end();
    await rm(into, { recursive: true, force: true });
  };
  await nextReport(worker, onBytes).catch(async (error: unknown) => {
    await discard();
    throw error;
  });
  return {
    into,
    take: async (images, name, fd) => void (await ask({ images, number: Number(/\d+/.exec(name)?.[0]), fd })),
    finish: async (images) => {
      const { figures } = await ask({ images });
      await end();
      return figures ?? fail('INTERNAL', { message: 'compare: the thread told no figures' });
    },
    discard,
  };
}

/** The thread's answer. Fails as its work did. */
function nextReport(worker: Worker, onBytes: (bytes: number) => void): Promise<Report> {
  return new Promise((resolve, reject) => {
    const settle = (report: Report): void => {
      worker.off('message', listen);
      worker.off('exit', died);
      if (report.failure === undefined) resolve(report);
      else reject(errorOf(report.failure, 'compare'));
    };
    const listen = (report: Report): void => {
      if (report.bytes === undefined) settle(report);
      else onBytes(report.bytes);
    };
    const died = (): void => settle({ failure: { message: 'compare: the thread ended without a word' } });
    worker.on('message', listen);
    worker.once('exit', died);
  });
}
