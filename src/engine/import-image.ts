import { join } from 'node:path';
import { MEMBER } from '../archive/members.ts';
import { loadImages } from '../image/load.ts';
import { lookupImage } from '../image/lookup.ts';
import { normalizeName } from '../image/reference.ts';
import { fail, isCryopodError, messageOf } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { listImages, putImage } from '../state/images.ts';
import type { EngineContext } from './context.ts';
import { whileImageFilesStay } from './image/lock.ts';
import { pullImage } from './image/pull.ts';

/** Of a container's configuration. */
export interface WantedImage {
  readonly imageId: string;
  readonly imageName: string;
}

/**
 * The image with exactly the ID that an archive was made of: the local one, that in the archive, or the one that its
 * registry has under the name. No name of a local image is moved. Errors: RESTORE_REFUSED, which says what is needed and
 * how to bring it; ARCHIVE_INVALID where the archive holds another image.
 */
export async function importedImage(
  ctx: EngineContext,
  wanted: WantedImage,
  { directory, inArchive }: { readonly directory: string; readonly inArchive: boolean },
): Promise<Image> {
  const local = byId(ctx, wanted.imageId);
  if (local !== undefined) return local;
  if (inArchive) return await loadFromArchive(ctx, wanted, join(directory, MEMBER.image));
  const { imageId, imageName } = wanted;
  const other = nameIsTaken(ctx, imageName);
  const pulled = other || imageName.startsWith('localhost/') ? undefined : await pulledImage(ctx, wanted);
  if (pulled?.id === imageId) return pulled;
  const found = pulled === undefined ? '' : `; its registry now has ${pulled.id} under this name`;
  return fail('RESTORE_REFUSED', {
    message: `the checkpoint needs the image ${imageName} with the ID ${imageId}, which is not here${found}`,
    hint: howToBring(imageId),
  });
}

const howToBring = (id: string): string =>
  `Where the checkpoint was made: cryopod save -o image.tar ${id.slice(0, 12)}, and here: cryopod load -i image.tar; or export with --with-image.`;

const byId = (ctx: EngineContext, wanted: string): Image | undefined =>
  listImages(ctx.db).find(({ id }) => id === wanted);

function nameIsTaken(ctx: EngineContext, name: string): boolean {
  return name !== '' && lookupImage(name, listImages(ctx.db)) !== undefined;
}

async function pulledImage(ctx: EngineContext, { imageId, imageName }: WantedImage): Promise<Image> {
  try {
    return (await pullImage(ctx, imageName)).image;
  } catch (error) {
    if (!isCryopodError(error) || ctx.signal.aborted) throw error;
    return fail('RESTORE_REFUSED', {
      message: `the checkpoint needs the image ${imageName} with the ID ${imageId}, which is not here and could not be pulled: ${messageOf(error)}`,
      hint: howToBring(imageId),
      cause: error,
    });
  }
}

async function loadFromArchive(
  ctx: EngineContext,
  { imageId, imageName }: WantedImage,
  path: string,
): Promise<Image> {
  return await whileImageFilesStay(ctx, 'import', async () => {
    const images = await loadImages(ctx.store, { path }, { signal: ctx.signal, progress: ctx.progress });
    const image = images.find(({ id }) => id === imageId);
    if (image === undefined) {
      return fail('ARCHIVE_INVALID', { message: `${MEMBER.image} does not hold the image ${imageId}` });
    }
    return recordImported(ctx, image, imageName);
  });
}

/** Records an image that came from elsewhere, under the name that it had there unless another image has that here. */
export function recordImported(ctx: EngineContext, image: Image, imageName: string): Image {
  const isFree = imageName !== '' && !nameIsTaken(ctx, imageName);
  const named = { ...image, names: isFree ? [normalizeName(imageName)] : [] };
  putImage(ctx.db, named);
  return named;
}
