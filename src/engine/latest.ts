import { latestContainer as newest } from '../state/containers.ts';
import type { EngineContext } from './context.ts';

/** ID of the container made last, for --latest. Errors: NO_SUCH_CONTAINER. */
export const latestContainer = (ctx: EngineContext): string => newest(ctx.db).config.id;
