import { isStored, type NamedCheckpoint, splitReference } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { fail } from '../../model/errors.ts';
import { checkpointByName, listCheckpoints } from '../../state/checkpoints.ts';
import { findContainer, lookupContainer } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

/** A checkpoint of a history that a command line names. */
export interface CheckpointReference {
  /** As the user gave it. */
  readonly text: string;
  readonly container: Container;
  readonly name: string;
}

/** What CONTAINER@NAME means; undefined where no container is called so, and for other text. */
export function lookupReference(ctx: EngineContext, text: string): CheckpointReference | undefined {
  const parts = splitReference(text);
  const container = parts === undefined ? undefined : lookupContainer(ctx.db, parts.container);
  if (parts === undefined || container === undefined) return undefined;
  return { text, container, name: parts.name };
}

/** The same. Errors: USAGE for other text, NO_SUCH_CONTAINER. */
export function findReference(ctx: EngineContext, text: string): CheckpointReference {
  const parts = splitReference(text);
  if (parts === undefined) {
    return fail('USAGE', {
      message: `"${text}" does not name a checkpoint`,
      hint: 'Give CONTAINER@NAME; cryopod checkpoint ls shows what there is.',
    });
  }
  return { text, container: findContainer(ctx.db, parts.container), name: parts.name };
}

/** The record of a checkpoint. Errors: NO_SUCH_OBJECT. */
export function requireRecord(ctx: EngineContext, { container, name }: CheckpointReference): NamedCheckpoint {
  const found = checkpointByName(ctx.db, container.config.id, name);
  if (found !== undefined) return found;
  const names = listCheckpoints(ctx.db, container.config.id).map((one) => one.name);
  return fail('NO_SUCH_OBJECT', {
    message: `container ${container.config.name} has no checkpoint ${name}`,
    hint: names.length === 0 ? 'It has none with a name.' : `It has: ${names.join(', ')}`,
  });
}

/** The record of one that holds something. Errors: NO_SUCH_OBJECT. */
export function requireStored(ctx: EngineContext, reference: CheckpointReference): NamedCheckpoint {
  const record = requireRecord(ctx, reference);
  if (isStored(record)) return record;
  return fail('NO_SUCH_OBJECT', {
    message: `${reference.text} holds nothing: that run of the schedule ${record.status === 'failed' ? 'failed' : 'was missed'}: ${record.message}`,
  });
}
