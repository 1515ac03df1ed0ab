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

/**
 * Takes away the name by which the image was given; with its last name, or given by ID, the image goes as well. `force`
 * also removes an ID with several names, and the containers that use the image. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID,
 * IMAGE_IN_USE, IN_USE.
 */
export async function removeImage(
  ctx: EngineContext,
  nameOrId: string,
  { force }: { readonly force: boolean },
): Promise<RemovedImage> {
  // Containers first, outside of the images' lock: one may take its time to stop.
  if (force) await removeUsers(ctx, findImage(ctx, nameOrId));
  return await withImagesLock(ctx, 'remove', async () => {
    const found = findImage(ctx, nameOrId);
    if (onlyUntags(found)) {
      untagImage(ctx.db, found.name);
      return { untagged: [found.name], deleted: undefined };
    }
    if (found.byId && found.image.names.length > 1 && !force) {
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

const onlyUntags = ({ image, byId }: LocalImage): boolean => !byId && image.names.length > 1;

async function removeUsers(ctx: EngineContext, found: LocalImage): Promise<void> {
  if (onlyUntags(found)) return;
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
