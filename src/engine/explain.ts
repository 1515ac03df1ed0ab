import { readFile } from 'node:fs/promises';
import { type Diagnosis, diagnose } from '../criu/diagnose.ts';
import { readProcessTree } from '../criu/images.ts';
import type { Container } from '../model/container.ts';
import { CryopodError, isCryopodError } from '../model/errors.ts';
import { processTree } from '../system/procfs.ts';

/**
 * Runs a dump; when CRIU fails, the error tells in one sentence what could not be saved, names the process, and keeps the
 * log's path and its decisive lines.
 */
export async function explainDumpFailure(container: Container, work: () => Promise<void>): Promise<void> {
  const processes = new Map(processTree(container.state.pid).map(({ pid, name }) => [pid, name]));
  try {
    await work();
  } catch (error) {
    const diagnosis = await diagnosisOf(error, 'dump', () => Promise.resolve(processes));
    if (diagnosis === undefined) throw error;
    throw explained('CHECKPOINT_FAILED', error, diagnosis, `cannot checkpoint ${container.config.name}`);
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
      const tree = await readProcessTree(images);
      return new Map(tree.map(({ pid, name }) => [pid, name]));
    });
    if (diagnosis === undefined) throw error;
    throw explained('RESTORE_FAILED', error, diagnosis, `cannot restore ${container.config.name}`);
  }
}

async function diagnosisOf(
  error: unknown,
  phase: 'dump' | 'restore',
  processes: () => Promise<Map<number, string>>,
): Promise<(Diagnosis & { readonly path: string }) | undefined> {
  if (!isCryopodError(error) || error.log === undefined) return undefined;
  const { path } = error.log;
  return { ...diagnose(phase, await readFile(path, 'utf8'), { processes: await processes() }), path };
}

function explained(
  code: 'CHECKPOINT_FAILED' | 'RESTORE_FAILED',
  cause: unknown,
  { sentence, hint, lines, path }: Diagnosis & { readonly path: string },
  what: string,
): CryopodError {
  const outcome = code === 'CHECKPOINT_FAILED' ? 'it goes on running' : 'its checkpoint is kept';
  return new CryopodError(code, {
    message: `${what}: ${sentence}; ${outcome}`,
    hint,
    cause,
    log: { path, lines },
  });
}
