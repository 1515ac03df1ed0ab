import type { Image, ImageConfig } from '../model/image.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { readBlob } from './blobs.ts';
import {
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  type Manifest,
  parseImageConfig,
  parseManifest,
} from './schema.ts';

/** The image's config, checked: it came from outside. Fails with IMAGE_INVALID, or IMAGE_FAILED where it is missing. */
export async function readImageConfig(store: StorePaths, image: Image): Promise<ImageConfig> {
  const json = await readBlob(store, `sha256:${image.id}`, MAX_CONFIG_BYTES);
  return parseImageConfig(json, `the config of image ${image.id}`);
}

/** The image's manifest, checked. Fails as {@link readImageConfig} does. */
export async function readImageManifest(store: StorePaths, image: Image): Promise<Manifest> {
  return parseManifest(
    await readBlob(store, image.digest, MAX_MANIFEST_BYTES),
    `the manifest ${image.digest}`,
  );
}
