import type { InputSource } from '../../image/archive-file.ts';
import { loadImages as load } from '../../image/load.ts';
import type { Image } from '../../model/image.ts';
import { putImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import { whileImageFilesStay } from './lock.ts';

export interface LoadImagesOptions {
  /** File descriptor for skopeo's own account of the transfer. */
  readonly output?: number | undefined;
}

/** Loads all images of an archive or directory with the names that they have there. Errors: those of the image store. */
export async function loadImages(
  ctx: EngineContext,
  source: InputSource,
  { output }: LoadImagesOptions = {},
): Promise<Image[]> {
  return await whileImageFilesStay(ctx, 'path' in source ? source.path : 'standard input', async () => {
    const images = await load(ctx.store, source, { output, signal: ctx.signal, progress: ctx.progress });
    for (const image of images) putImage(ctx.db, image);
    return images;
  });
}
