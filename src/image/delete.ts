import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, isCryopodError } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { publish, TEMP_PREFIX, tempBeside } from '../system/durable.ts';
import { blobsDirectory, layersDirectory, type StorePaths, stagingDirectory } from '../system/store-paths.ts';
import { digestHex } from './blobs.ts';
import { readImageManifest } from './config.ts';
import { STAGING_PREFIX } from './staging.ts';

/** What must stay. */
export interface StillUsed {
  /** The images that are recorded (without the one that goes). */
  readonly images: readonly Image[];
  /** Chain IDs of the layers of all containers. */
  readonly layers: readonly string[];
}

/**
 * Removes the blobs and layers of an image that nothing else needs. The caller takes the image out of the records
 * first: after a crash in between, the rest is garbage that {@link deleteUnusedFiles} finds, and never a recorded image
 * without files. No other command may add images meanwhile. Idempotent.
 */
export async function deleteImageFiles(store: StorePaths, image: Image, stillUsed: StillUsed): Promise<void> {
  const kept = await keptFiles(store, stillUsed);
  const blobs = await imageBlobs(store, image);
  for (const layer of image.layers) if (!kept.layers.has(layer)) await deleteLayer(store, layer);
  for (const blob of blobs)
    if (!kept.blobs.has(blob)) await rm(join(blobsDirectory(store), blob), { force: true });
}

/**
 * Removes all blobs and layers that no recorded image and no container needs, and what interrupted commands left in the
 * store's directories. No other command may add images meanwhile. Idempotent.
 */
export async function deleteUnusedFiles(store: StorePaths, stillUsed: StillUsed): Promise<void> {
  const kept = await keptFiles(store, stillUsed);
  for (const layer of await entries(layersDirectory(store))) {
    if (!kept.layers.has(layer)) await deleteLayer(store, layer);
  }
  for (const blob of await entries(blobsDirectory(store))) {
    if (!kept.blobs.has(blob)) await rm(join(blobsDirectory(store), blob), { force: true });
  }
  for (const left of await entries(stagingDirectory(store))) {
    if (left.startsWith(STAGING_PREFIX))
      await rm(join(stagingDirectory(store), left), { recursive: true, force: true });
  }
}

async function keptFiles(
  store: StorePaths,
  { images, layers }: StillUsed,
): Promise<{ blobs: ReadonlySet<string>; layers: ReadonlySet<string> }> {
  const blobs = await Promise.all(images.map((image) => imageBlobs(store, image)));
  return {
    blobs: new Set(blobs.flat()),
    layers: new Set([...layers, ...images.flatMap((image) => image.layers)]),
  };
}

/** Names of the image's blob files. An image whose manifest is lost has no others that could still be of use. */
async function imageBlobs(store: StorePaths, image: Image): Promise<string[]> {
  const own = [digestHex(image.digest), image.id];
  try {
    const manifest = await readImageManifest(store, image);
    return [...own, ...manifest.layers.map((layer) => digestHex(layer.digest))];
  } catch (error) {
    if (isCryopodError(error, 'IMAGE_FAILED') || isCryopodError(error, 'IMAGE_INVALID')) return own;
    throw error;
  }
}

/** Takes its name away first, so that a half-removed layer never looks complete. */
async function deleteLayer(store: StorePaths, layer: string): Promise<void> {
  const path = join(layersDirectory(store), layer);
  if (layer.startsWith(TEMP_PREFIX)) return rm(path, { recursive: true, force: true });
  const doomed = tempBeside(path);
  try {
    await publish(path, doomed);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(doomed, { recursive: true, force: true });
}

async function entries(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
