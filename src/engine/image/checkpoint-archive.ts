import { blobPath } from '../../image/blobs.ts';
import { readImageManifest } from '../../image/config.ts';
import { fail } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import type { EngineContext } from '../context.ts';
import { lookupLocal } from './find.ts';

/** Annotations of checkpoint images begin so (podman pkg/checkpoint; checkpointctl lib/metadata.go). */
export const CHECKPOINT_ANNOTATIONS = 'io.podman.annotations.checkpoint.';

const isCheckpointImage = ({ annotations }: Image): boolean =>
  annotations[`${CHECKPOINT_ANNOTATIONS}name`] !== undefined;

/**
 * The archive that a checkpoint image is made of, by the image's name or ID; undefined where no image has it. Errors:
 * RESTORE_REFUSED for an image that is none.
 */
export async function checkpointImageArchive(
  ctx: EngineContext,
  nameOrId: string,
): Promise<string | undefined> {
  const image = lookupLocal(ctx, nameOrId)?.image;
  if (image === undefined) return undefined;
  if (!isCheckpointImage(image)) {
    fail('RESTORE_REFUSED', {
      message: `image is not a checkpoint: ${image.id}`,
      hint: 'Checkpoint images are made with: cryopod container checkpoint --create-image NAME CONTAINER',
    });
  }
  return await archiveOfImage(ctx, image);
}

/** The same for a name that may be any image's, local or not: undefined unless it is a local checkpoint image. */
export async function findCheckpointImage(ctx: EngineContext, name: string): Promise<string | undefined> {
  const image = lookupLocal(ctx, name)?.image;
  return image !== undefined && isCheckpointImage(image) ? await archiveOfImage(ctx, image) : undefined;
}

/** The one layer's file. Errors: ARCHIVE_INVALID. */
export async function archiveOfImage(ctx: EngineContext, image: Image): Promise<string> {
  const [layer, ...more] = (await readImageManifest(ctx.store, image)).layers;
  if (layer === undefined || more.length > 0) {
    return fail('ARCHIVE_INVALID', { message: `a checkpoint image has one layer, not as ${image.id}` });
  }
  return blobPath(ctx.store, layer.digest);
}
