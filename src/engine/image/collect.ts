import { deleteUnusedFiles } from '../../image/delete.ts';
import { listContainers } from '../../state/containers.ts';
import { listImages } from '../../state/images.ts';
import { isUnderWay } from '../../state/journal.ts';
import type { EngineContext } from '../context.ts';

/** Journal entry of commands that bring files into the image store or read them. With `collect`, recovery collects. */
export const IMAGE_WORK = 'transfer';

/**
 * Deletes blobs and layers that no image and no container needs any more. Does nothing while another command brings or
 * reads images: the next removal collects what then remains. The caller holds the images' lock.
 */
export async function collectUnusedFiles(ctx: EngineContext): Promise<void> {
  if (isUnderWay(ctx.db, IMAGE_WORK)) return;
  const layers = listContainers(ctx.db).flatMap(({ config }) => config.layers);
  await deleteUnusedFiles(ctx.store, { images: listImages(ctx.db), layers });
}
