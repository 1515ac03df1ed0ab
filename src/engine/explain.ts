import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type DiagnosisFacts, diagnose } from '../criu/diagnose.ts';
import { externalUnixSockets, processNames } from '../criu/process-facts.ts';
import { diagnoseRuntime } from '../criu/runtime-rules.ts';
import { readTasks } from '../criu/view/tasks.ts';
import type { Container } from '../model/container.ts';
import { CryopodError, isCryopodError } from '../model/errors.ts';
import { freeBytes } from '../system/space.ts';
import { processLives } from './observe.ts';

/**
 * Runs a dump; when CRIU fails, the error tells in one sentence what could not be saved, names the process, and keeps the
 * log's path and its decisive lines.
 */
export async function explainDumpFailure(container: Container, work: () => Promise<void>): Promise<void> {
  const { pid } = container.state;
  const processes = processNames(pid);
  try {
    await work();
  } catch (error) {
    const diagnosis = await diagnosisOf(error, 'dump', async () => {
      const [external] = await externalUnixSockets(pid);
      return { processes, external: external && `process ${external.pid} (${external.process})` };
    });
    if (diagnosis === undefined) throw error;
    const { name } = container.config;
    const outcome = processLives(container) ? `${name} goes on running` : 'its processes have ended';
    throw explained('CHECKPOINT_FAILED', error, diagnosis, `cannot checkpoint ${name}`, outcome);
  }
}

/** The same for a restore; names come from the images, whose process IDs are the container's own. */
export async function explainRestoreFailure<T>(
  container: Container,
  images: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const diagnosis = await diagnosisOf(error, 'restore', async () => {
      const tree = await readTasks(images);
      return { processes: new Map(tree.map(({ pid, name }) => [pid, name])), external: undefined };
    });
    if (diagnosis === undefined) throw error;
    throw explained(
      'RESTORE_FAILED',
      error,
      diagnosis,
      `cannot restore ${container.config.name}`,
      'its checkpoint is kept',
    );
  }
}

/** With less free, not even a log can be written. */
const FULL_BYTES = 1 << 20;
const FULL_HINT = 'Free some space there, or give a --root on a larger file system.';
const NO_LOG_HINT = 'Look at the runtime and the host: CRIU did not come to write a log.';

interface Explanation {
  readonly sentence: string;
  readonly hint: string;
  readonly log?: CryopodError['log'];
}

async function diagnosisOf(
  error: unknown,
  phase: 'dump' | 'restore',
  facts: () => Promise<DiagnosisFacts>,
): Promise<Explanation | undefined> {
  if (!isCryopodError(error)) return undefined;
  // The runtime failed before CRIU wrote anything.
  if (error.log === undefined) {
    return diagnoseRuntime(error.message) ?? { sentence: error.message, hint: error.hint ?? NO_LOG_HINT };
  }
  const { path } = error.log;
  const { sentence, hint, lines } = diagnose(phase, await readFile(path, 'utf8'), await facts());
  // A CRIU that was killed could not log it; the runtime has seen it.
  const seen = lines.length === 0 ? diagnoseRuntime(error.message) : undefined;
  if (seen !== undefined) return { ...seen, log: { path, lines } };
  // Nor could one whose log was on a full disk.
  if (lines.length === 0 && (await freeBytes(dirname(path))) < FULL_BYTES) {
    return { sentence: `the file system of ${dirname(path)} is full`, hint: FULL_HINT, log: { path, lines } };
  }
  return { sentence, hint, log: { path, lines } };
}

function explained(
  code: 'CHECKPOINT_FAILED' | 'RESTORE_FAILED',
  cause: unknown,
  { sentence, hint, log }: Explanation,
  what: string,
  outcome: string,
): CryopodError {
  return new CryopodError(code, {
    message: `${what}: ${sentence}; ${outcome}`,
    hint,
    cause,
    log,
  });
}
