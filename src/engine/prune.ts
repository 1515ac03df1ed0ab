import { isCryopodError } from '../model/errors.ts';
import type { Filters } from '../model/filters.ts';
import type { EngineContext } from './context.ts';
import { listAll } from './list.ts';
import { removeContainer } from './remove.ts';

/**
 * Removes the containers that do not run and pass the filters; returns their IDs. One that another command starts or
 * removes meanwhile, whose namespaces another container needs, or that has named checkpoints, is left alone. Errors: USAGE for a bad filter.
 */
export async function pruneContainers(ctx: EngineContext, filters: Filters): Promise<string[]> {
  const removed: string[] = [];
  for (const { config, state } of await listAll(ctx, { all: true, filters })) {
    if (state.status === 'running' || state.status === 'paused') continue;
    try {
      removed.push(await removeContainer(ctx, config.id, { force: false, volumes: false }));
    } catch (error) {
      const skipped = ['CONTAINER_RUNNING', 'NO_SUCH_CONTAINER', 'IN_USE'] as const;
      if (!skipped.some((code) => isCryopodError(error, code))) throw error;
    }
  }
  return removed;
}
