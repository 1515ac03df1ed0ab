import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf, isCryopodError, messageOf } from '../../model/errors.ts';
import type { Job, Report } from './job.ts';
import { readLive } from './live.ts';
import { makePulse } from './pulse.ts';
import { rewriteImages } from './rewrite.ts';

/** The thread that {@link runJob} starts: memory is compared and copied here, so that signals and locks go on meanwhile. */
async function main(): Promise<void> {
  const { job, stop } = workerData as { job: Job; stop: Int32Array };
  const report = (message: Report): void => parentPort?.postMessage(message);
  const pulse = makePulse(stop, (bytes) => report({ bytes }));
  try {
    report({ figures: await (job.verb === 'live' ? readLive(job, pulse) : rewriteImages(job, pulse)) });
  } catch (error) {
    const known = isCryopodError(error) ? { code: error.code, hint: error.hint } : { errno: errnoOf(error) };
    report({
      failure: { message: messageOf(error), stack: error instanceof Error ? error.stack : '', ...known },
    });
  }
}

void main();
