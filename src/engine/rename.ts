import { checkName } from '../model/ids.ts';
import { replaceContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { withContainer } from './with-container.ts';

/** Gives a container another name. Errors: NO_SUCH_CONTAINER, NAME_IN_USE, USAGE. */
export async function renameContainer(ctx: EngineContext, nameOrId: string, name: string): Promise<string> {
  checkName(name, 'container');
  return await withContainer(ctx, nameOrId, 'rename', ({ config, state }) => {
    replaceContainer(ctx.db, { config: { ...config, name }, state });
    return Promise.resolve(config.id);
  });
}
