import type { Output } from '../../image/output.ts';
import { normalizeName } from '../../image/reference.ts';
import { type SaveFormat, type SaveItem, saveImages as save } from '../../image/save.ts';
import type { EngineContext } from '../context.ts';
import { findImage } from './find.ts';
import { whileImageFilesStay } from './lock.ts';

export interface SaveRequest {
  /** Names or IDs; without `several` all but the first are further names of the first in the archive. */
  readonly images: readonly string[];
  readonly several: boolean;
  readonly format: SaveFormat;
  readonly compress: boolean;
  /** File descriptor for skopeo's own account of the transfer. */
  readonly account?: number | undefined;
}

/** Writes images as an archive or directory. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID, USAGE, those of the image store. */
export async function saveImages(ctx: EngineContext, request: SaveRequest, output: Output): Promise<void> {
  const { format, compress, account } = request;
  const items = request.several ? severalImages(ctx, request.images) : [oneImage(ctx, request.images)];
  await whileImageFilesStay(ctx, request.images.join(' '), () =>
    save(ctx.store, items, output, { format, compress, account, signal: ctx.signal, progress: ctx.progress }),
  );
}

function oneImage(ctx: EngineContext, [wanted = '', ...tags]: readonly string[]): SaveItem {
  const { image, name, byId } = findImage(ctx, wanted);
  return { image, names: [...(byId ? [] : [name]), ...tags.map(normalizeName)] };
}

/** An image that is given under several names goes into the archive once. */
function severalImages(ctx: EngineContext, wanted: readonly string[]): SaveItem[] {
  const items = new Map<string, SaveItem>();
  for (const text of wanted) {
    const { image, name, byId } = findImage(ctx, text);
    const names = [...(items.get(image.id)?.names ?? []), ...(byId ? [] : [name])];
    items.set(image.id, { image, names: [...new Set(names)] });
  }
  return [...items.values()];
}
