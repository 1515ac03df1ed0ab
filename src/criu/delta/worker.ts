import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf, isCryopodError, messageOf } from '../../model/errors.ts';
import type { AnyJob, Failure, Report } from './job.ts';
import { readLive } from './live.ts';
import { makePulse, type Pulse } from './pulse.ts';
import { rewriteImages } from './rewrite.ts';
import { openStream, type StreamJob } from './stream.ts';
import type { StreamRequest } from './stream-delta.ts';

const report = (message: Report): void => parentPort?.postMessage(message);

/** The thread that runJob and streamDelta start: memory is compared and copied here, so that signals and locks go on meanwhile. */
async function main(): Promise<void> {
  const { job, stop } = workerData as { job: AnyJob; stop: Int32Array };
  const pulse = makePulse(stop, (bytes) => report({ bytes }));
  try {
    if (job.verb === 'stream') return await serveStream(job, pulse);
    report({ figures: await (job.verb === 'live' ? readLive(job, pulse) : rewriteImages(job, pulse)) });
  } catch (error) {
    report({ failure: failureOf(error) });
  }
}

/** Answers that it is ready, and then each request, until it is ended. */
async function serveStream(job: StreamJob, pulse: Pulse): Promise<void> {
  const stream = await openStream(job, pulse);
  parentPort?.on('message', async (request: StreamRequest) => {
    try {
      const { images } = request;
      if (request.number === undefined) report({ figures: await stream.finish(images) });
      else {
        await stream.take(images, request.number, request.fd);
        report({});
      }
    } catch (error) {
      stream.close();
      report({ failure: failureOf(error) });
    }
  });
  report({});
}

function failureOf(error: unknown): Failure {
  const known = isCryopodError(error) ? { code: error.code, hint: error.hint } : { errno: errnoOf(error) };
  return { message: messageOf(error), stack: error instanceof Error ? error.stack : '', ...known };
}

void main();
