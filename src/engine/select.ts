import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { findContainer, latestContainer, listContainers, lookupContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';
import { dependencies } from './plan/dependencies.ts';

export interface Selection {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly latest: boolean;
}

/**
 * The containers that a command line means, as the words to print for each: names as typed, full IDs for --all and
 * --latest. `suits` chooses among all. Errors: USAGE in podman's words, NO_SUCH_CONTAINER only for --latest.
 */
export function selectContainers(
  ctx: EngineContext,
  { names, all, latest }: Selection,
  suits: (container: Container) => boolean,
): readonly string[] {
  if (all && latest) fail('USAGE', { message: '--all and --latest cannot be used together' });
  if (all && names.length > 0) fail('USAGE', { message: 'no arguments are needed with --all' });
  if (latest && names.length > 0)
    fail('USAGE', { message: '--latest and containers cannot be used together' });
  if (!all && !latest && names.length === 0)
    fail('USAGE', { message: 'you must provide at least one name or id' });
  if (latest) return [latestContainer(ctx.db).config.id];
  if (!all) return names;
  return listContainers(ctx.db)
    .map((container) => observe(ctx, container))
    .filter(suits)
    .map(({ config }) => config.id);
}

/**
 * Whether one of the containers joins the namespaces of another one of them: it must be thawed after that, and frozen and
 * removed before. It is always the younger one. Names of no container are passed over.
 */
export function dependOnEachOther(ctx: EngineContext, names: readonly string[]): boolean {
  const containers = names.flatMap((name) => lookupContainer(ctx.db, name) ?? []);
  const ids = new Set(containers.map(({ config }) => config.id));
  return containers.some((container) => dependencies(container).some((id) => ids.has(id)));
}

/** Whether a container is named more than once. */
export function namesTwice(ctx: EngineContext, names: readonly string[]): boolean {
  const ids = names.map((name) => lookupContainer(ctx.db, name)?.config.id ?? name);
  return new Set(ids).size < ids.length;
}

/** Fails with NO_SUCH_CONTAINER for the first name that means none: before anything is done to the others. */
export function requireAll(ctx: EngineContext, names: readonly string[]): void {
  for (const name of names) findContainer(ctx.db, name);
}
