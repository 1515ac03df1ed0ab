import { checkPageFiles } from '../criu/delta/check-page-files.ts';
import type { Container } from '../model/container.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import type { PreviousFacts } from './plan/previous.ts';
import { lastPreCheckpoint, type PreCheckpoint } from './pre-checkpoint-files.ts';
import { problemOf } from './preflight/problems.ts';

/** A pre-checkpoint that a dump builds on. */
export interface Previous extends PreCheckpoint {
  /** CRIU leaves out what has not changed since. Otherwise a whole dump becomes a delta by content. */
  readonly tracked: boolean;
}

export interface FoundPrevious {
  readonly facts: PreviousFacts;
  /** Undefined where there is none that can be used. */
  readonly previous: Previous | undefined;
}

/** The kernel tells CRIU which pages have changed (soft-dirty tracking). */
export const tracksChanges = async (ctx: EngineContext): Promise<boolean> =>
  (await criuProbe(ctx))?.features.dirtyTracking === true;

/**
 * The last pre-checkpoint of a running container, checked through all that it builds on, without reading its pages:
 * what is damaged must be found before the container is frozen. `needsArchive`: the checkpoint will lie in one.
 */
export async function findPrevious(
  ctx: EngineContext,
  container: Container,
  { needsArchive = false }: { readonly needsArchive?: boolean } = {},
): Promise<FoundPrevious> {
  const last = lastPreCheckpoint(ctx.store, container);
  if (last === undefined) {
    const facts = { found: false, exported: false, needsArchive, tracked: false };
    return { facts, previous: undefined };
  }
  const { exported, created } = last.record;
  const damage = await problemOf(() => checkPageFiles(last.directory));
  const tracked = last.record.tracked && (await tracksChanges(ctx));
  const facts = { found: true, damage: damage?.message, exported, needsArchive, tracked, created };
  return { facts, previous: damage === undefined ? { ...last, tracked } : undefined };
}
