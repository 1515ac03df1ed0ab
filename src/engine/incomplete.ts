import type { Container } from '../model/container.ts';
import type { EngineContext } from './context.ts';
import { stopPages } from './lazy-pages.ts';
import { recordedAsActive } from './observe.ts';
import { killAll } from './pages-server.ts';
import { removeLocked } from './remove.ts';

/**
 * Ends a container whose memory has not all come and will not, without letting its processes run on: only then what
 * keeps them from reading zeros goes. May be repeated.
 */
export async function endIncomplete(ctx: EngineContext, container: Container | undefined): Promise<void> {
  if (container === undefined || !recordedAsActive(container)) return;
  await killAll(ctx, container);
  stopPages(ctx, container.config.id);
}

/** The same, and removes it. The caller holds its lock. */
export async function removeIncomplete(ctx: EngineContext, container: Container): Promise<void> {
  await endIncomplete(ctx, container);
  await removeLocked(ctx, container, { volumes: false });
}
