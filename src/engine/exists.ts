import { lookupContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';

/** Errors: AMBIGUOUS_ID. */
export const containerExists = (ctx: EngineContext, nameOrId: string): boolean =>
  lookupContainer(ctx.db, nameOrId) !== undefined;
