import { readImageConfig } from '../../image/config.ts';
import { imageHistory as describe, type HistoryRow } from '../../image/inspect.ts';
import { findLayer } from '../../image/layers.ts';
import type { EngineContext } from '../context.ts';
import { findImage } from './find.ts';

export type { HistoryRow } from '../../image/inspect.ts';

/** How an image was made, last step first. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID, IMAGE_FAILED. */
export async function imageHistory(ctx: EngineContext, nameOrId: string): Promise<HistoryRow[]> {
  const { image } = findImage(ctx, nameOrId);
  const sizes = await Promise.all(
    image.layers.map(async (layer) => (await findLayer(ctx.store, layer))?.size ?? 0),
  );
  return describe(image, await readImageConfig(ctx.store, image), sizes);
}
