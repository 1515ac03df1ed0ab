import { readImageConfig, readImageManifest } from '../../image/config.ts';
import { inspectImage as describe, type ImageInspect } from '../../image/inspect.ts';
import { layerDiffDirectory } from '../../image/layers.ts';
import type { EngineContext } from '../context.ts';
import { findImage, lookupLocal } from './find.ts';

/** All about an image in the shape of podman's `image inspect`. */
export interface ImageReport extends ImageInspect {
  readonly GraphDriver: { readonly Name: 'overlay'; readonly Data: Readonly<Record<string, string>> };
}

/** Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID, IMAGE_FAILED where its files are missing. */
export async function inspectImage(ctx: EngineContext, nameOrId: string): Promise<ImageReport> {
  const { image } = findImage(ctx, nameOrId);
  const config = await readImageConfig(ctx.store, image);
  const [top, ...below] = image.layers.map((layer) => layerDiffDirectory(ctx.store, layer)).toReversed();
  const Data = {
    ...(below.length === 0 ? {} : { LowerDir: below.join(':') }),
    ...(top === undefined ? {} : { UpperDir: top }),
  };
  return {
    ...describe(image, config, await readImageManifest(ctx.store, image)),
    GraphDriver: { Name: 'overlay', Data },
  };
}

/** True where a local image has this name or ID. Errors: AMBIGUOUS_ID. */
export const imageExists = (ctx: EngineContext, nameOrId: string): boolean =>
  lookupLocal(ctx, nameOrId) !== undefined;
