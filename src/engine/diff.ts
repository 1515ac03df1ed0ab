import { layerDiffDirectory } from '../image/layers.ts';
import { fail } from '../model/errors.ts';
import { type Change, diffContainer, diffLayers } from '../rootfs/diff.ts';
import { lookupContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { lookupLocal } from './image/find.ts';

export { type Change, diffAsJson } from '../rootfs/diff.ts';

/** What a name may mean; undefined: a container before an image. */
export type DiffKind = 'container' | 'image' | undefined;

/**
 * The changes of a container against its image, or of an image's last layer against those below; with `base` against that
 * image. Errors: NO_SUCH_CONTAINER or NO_SUCH_IMAGE, AMBIGUOUS_ID.
 */
export function diff(
  ctx: EngineContext,
  nameOrId: string,
  { kind, base }: { readonly kind: DiffKind; readonly base?: string | undefined },
): AsyncGenerator<Change> {
  const container = kind === 'image' ? undefined : lookupContainer(ctx.db, nameOrId);
  if (container !== undefined) {
    const { id, layers } = container.config;
    if (base !== undefined) {
      fail('USAGE', { message: 'a container is compared with its image only: give one argument' });
    }
    return diffContainer(ctx.store, id, directories(ctx, layers));
  }
  const image = kind === 'container' ? undefined : lookupLocal(ctx, nameOrId)?.image;
  if (image === undefined) return unknown(nameOrId, kind);
  const below = base === undefined ? image.layers.slice(0, -1) : baseLayers(ctx, base);
  return diffLayers(directories(ctx, below), directories(ctx, image.layers));
}

const directories = (ctx: EngineContext, layers: readonly string[]): string[] =>
  layers.map((layer) => layerDiffDirectory(ctx.store, layer));

const baseLayers = (ctx: EngineContext, name: string): readonly string[] =>
  lookupLocal(ctx, name)?.image.layers ?? unknown(name, 'image');

const unknown = (nameOrId: string, kind: DiffKind): never =>
  fail(kind === 'image' ? 'NO_SUCH_IMAGE' : 'NO_SUCH_CONTAINER', {
    message: `${nameOrId} not found: layer not known`,
    hint:
      kind === undefined
        ? 'No container and no image has this name or ID.'
        : `No ${kind} has this name or ID.`,
  });
