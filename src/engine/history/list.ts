import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import { listCheckpoints } from '../../state/checkpoints.ts';
import { findContainer, listContainers } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

export interface ListedCheckpoint extends NamedCheckpoint {
  readonly containerName: string;
}

/** The named checkpoints of one container, or of all, oldest first. Errors: NO_SUCH_CONTAINER. */
export function listHistory(ctx: EngineContext, container: string | undefined): ListedCheckpoint[] {
  const id = container === undefined ? undefined : findContainer(ctx.db, container).config.id;
  const names = new Map(listContainers(ctx.db).map(({ config }) => [config.id, config.name]));
  return listCheckpoints(ctx.db, id).map((one) => ({
    ...one,
    containerName: names.get(one.container) ?? one.container,
  }));
}
