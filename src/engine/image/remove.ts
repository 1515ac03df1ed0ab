import { fail } from '../../model/errors.ts';
import type { Filters } from '../../model/filters.ts';
import type { Image } from '../../model/image.ts';
import { deleteImage, listImages, untagImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import { removeContainer } from '../remove.ts';
import { collectUnusedFiles } from './collect.ts';
import { findImage, type LocalImage } from './find.ts';
import { selectImages } from './list.ts';
import { withImagesLock } from './lock.ts';
import { imageUsers } from './usage.ts';

export interface RemovedImage {
  readonly untagged: readonly string[];
  /** ID of the image, if it went as well. */
  readonly deleted: string | undefined;
}

export interface RemoveImageOptions {
  /** An image given by ID may have several names, and the containers that use it are removed. */
  readonly force: boolean;
  /** The image goes with all its names, whichever of them it was given by. */
  readonly allNames?: boolean | undefined;
}

/**
 * Takes away the name by which the image was given; with its last name, or given by ID, the image goes as well. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID,
 * IMAGE_IN_USE, IN_USE.
 */
export async function removeImage(
  ctx: EngineContext,
  nameOrId: string,
  options: RemoveImageOptions,
): Promise<RemovedImage> {
  // Containers first, outside of the images' lock: one may take its time to stop.
  if (options.force) await removeUsers(ctx, findImage(ctx, nameOrId), options);
  return await withImagesLock(ctx, 'remove', async () => {
    const found = findImage(ctx, nameOrId);
    if (onlyUntags(found, options)) {
      untagImage(ctx.db, found.name);
      return { untagged: [found.name], deleted: undefined };
    }
    if (found.image.names.length > 1 && !options.force && options.allNames !== true) {
      fail('IN_USE', {
        message: `unable to delete image "${found.image.id}" by ID with more than one tag (${found.image.names.join(', ')}): please force removal`,
        hint: 'Remove its names one by one, or give --force.',
      });
    }
    refuseUsed(ctx, found.image);
    const removed = forget(ctx, found.image);
    await collectUnusedFiles(ctx);
    return removed;
  });
}

const onlyUntags = ({ image, byId }: LocalImage, { allNames }: RemoveImageOptions): boolean =>
  allNames !== true && !byId && image.names.length > 1;

async function removeUsers(
  ctx: EngineContext,
  found: LocalImage,
  options: RemoveImageOptions,
): Promise<void> {
  if (onlyUntags(found, options)) return;
  for (const { config } of imageUsers(ctx).get(found.image.id) ?? []) {
    await removeContainer(ctx, config.id, { force: true, volumes: true });
  }
}

function refuseUsed(ctx: EngineContext, image: Image): void {
  const [user] = imageUsers(ctx).get(image.id) ?? [];
  if (user === undefined) return;
  fail('IMAGE_IN_USE', {
    message: `image used by ${user.config.id}: image is in use by a container: consider listing external containers and force-removing image`,
    hint: 'Remove the container first, or give --force.',
  });
}

function forget(ctx: EngineContext, { id, names }: Image): RemovedImage {
  deleteImage(ctx.db, id);
  return { untagged: names, deleted: id };
}

/** IDs of all images, for `rmi --all`. */
export const allImageIds = (ctx: EngineContext): string[] => listImages(ctx.db).map(({ id }) => id);

/** Removes images that no container uses: those without a name, or with `all` every one; returns what went. */
export async function pruneImages(
  ctx: EngineContext,
  filters: Filters,
  all: boolean,
): Promise<RemovedImage[]> {
  return await withImagesLock(ctx, 'prune', async () => {
    const users = imageUsers(ctx);
    const unused = (await selectImages(ctx, filters)).filter(
      ({ id, names }) => !users.has(id) && (all || names.length === 0),
    );
    const removed = unused.map((image) => forget(ctx, image));
    await collectUnusedFiles(ctx);
    return removed;
  });
}
