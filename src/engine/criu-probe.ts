import { join } from 'node:path';
import { type CriuProbe, probeCriu } from '../criu/probe.ts';
import type { EngineContext } from './context.ts';

/** What CRIU can do here; asked once per kernel and CRIU, and remembered in the store. */
export const criuProbe = (ctx: EngineContext): Promise<CriuProbe | undefined> =>
  probeCriu(join(ctx.store.root, 'criu-probe.json'));
