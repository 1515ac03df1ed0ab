import type { InputSource } from '../../image/archive-file.ts';
import { importImage as build, type ImportOptions as ImportChoices } from '../../image/import.ts';
import type { Image } from '../../model/image.ts';
import { putImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import { collectAfterFailure, whileImageFilesStay } from './lock.ts';

export type ImportOptions = Omit<ImportChoices, 'progress' | 'signal'>;

/** Makes an image of one layer from a root file system archive. Errors: USAGE, IMAGE_INVALID, NO_SPACE, INTERRUPTED. */
export async function importImage(
  ctx: EngineContext,
  source: InputSource,
  options: ImportOptions = {},
): Promise<Image> {
  const bring = async (): Promise<Image> => {
    const image = await build(ctx.store, source, { ...options, signal: ctx.signal, progress: ctx.progress });
    putImage(ctx.db, image);
    return image;
  };
  return await collectAfterFailure(ctx, () => whileImageFilesStay(ctx, options.name ?? 'import', bring));
}
