import type { EngineContext } from '../../engine/context.ts';
import { type CheckpointReference, lookupReference } from '../../engine/history/find.ts';
import { forkCheckpoint, forkPreflight } from '../../engine/history/fork.ts';
import { goBack, goBackPreflight } from '../../engine/history/go-back.ts';
import type { ImportChoice } from '../../engine/import.ts';
import type { Finding } from '../../engine/plan/preflight/finding.ts';
import type { RestoreResult } from '../../engine/restore.ts';
import { splitReference } from '../../model/checkpoint.ts';
import { fail } from '../../model/errors.ts';

interface ForkFlags {
  readonly name: string | undefined;
  readonly publish: readonly string[];
  readonly ignoreRootfs: boolean;
}

/**
 * The names that mean checkpoints of histories. Errors: USAGE where an option is for a new container and none is asked
 * for, or one for several; NO_SUCH_CONTAINER.
 */
export function namedCheckpoints(
  engine: EngineContext,
  names: readonly string[],
  { name, publish, ignoreRootfs }: ForkFlags,
): ReadonlyMap<string, CheckpointReference> {
  const found = new Map<string, CheckpointReference>();
  for (const text of names) {
    const reference = lookupReference(engine, text);
    if (reference !== undefined) found.set(text, reference);
    // An image's digest has a colon: this can be nothing else.
    else if (splitReference(text) !== undefined) {
      fail('NO_SUCH_CONTAINER', { message: `no such container or image: ${text}` });
    }
  }
  if (found.size === 0) return found;
  if (name !== undefined && names.length > 1) {
    fail('USAGE', { message: '--name can only be used with one named checkpoint' });
  }
  if (name === undefined) {
    if (publish.length > 0) fail('USAGE', { message: '--publish of a named checkpoint needs --name' });
    if (ignoreRootfs) fail('USAGE', { message: '--ignore-rootfs of a named checkpoint needs --name' });
  }
  return found;
}

/** Back to the checkpoint, or with a name another container of it. */
export const restoreNamed = (
  engine: EngineContext,
  reference: CheckpointReference,
  options: ImportChoice,
): Promise<RestoreResult> =>
  options.name === undefined
    ? goBack(engine, reference, options)
    : forkCheckpoint(engine, reference, { ...options, name: options.name });

/** The same without doing it. */
export const lookAtNamed = (
  engine: EngineContext,
  reference: CheckpointReference,
  options: ImportChoice,
): Promise<readonly Finding[]> =>
  options.name === undefined
    ? goBackPreflight(engine, reference, options)
    : forkPreflight(engine, reference, { ...options, name: options.name });
