import { fail } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { blobPath, hasBlob, readCapped } from './blobs.ts';
import {
  type Descriptor,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  type Manifest,
  parseManifest,
} from './schema.ts';

/** Blobs of an image that another store may ask for; images of more do not exist. */
const MAX_BLOBS = 1000;

/** What another store needs to have an image: its manifest as it is stored, and the digests of its other blobs. */
export interface ImageParts {
  readonly manifest: Buffer;
  readonly blobs: ReadonlySet<string>;
}

/** Errors: IMAGE_INVALID; those of reading files. */
export async function imageParts(store: StorePaths, { id, digest }: Image): Promise<ImageParts> {
  const manifest = await readCapped(blobPath(store, digest), MAX_MANIFEST_BYTES);
  const parsed = parseManifest(manifest.toString('utf8'), `the manifest of image ${id}`);
  return { manifest, blobs: new Set(blobsOf(parsed).map((blob) => blob.digest)) };
}

/**
 * Which blobs of an image with this ID the store lacks, each once, the config first. The manifest may be hostile: sizes are
 * what it claims. Errors: IMAGE_INVALID, also where it is of another image.
 */
export async function lackingBlobs(store: StorePaths, manifest: Buffer, id: string): Promise<Descriptor[]> {
  const parsed = parseManifest(manifest.toString('utf8'), `the manifest of image ${id}`);
  const { config } = parsed;
  if (config.digest !== `sha256:${id}`) {
    fail('IMAGE_INVALID', { message: `the manifest is of the image ${config.digest}, not of ${id}` });
  }
  if (config.size > MAX_CONFIG_BYTES) {
    fail('IMAGE_INVALID', { message: `the config of image ${id} claims ${config.size} bytes` });
  }
  const blobs = new Map(blobsOf(parsed).map((blob) => [blob.digest, blob]));
  if (blobs.size > MAX_BLOBS) {
    fail('IMAGE_INVALID', { message: `the image ${id} has ${blobs.size} blobs, more than ${MAX_BLOBS}` });
  }
  const lacking: Descriptor[] = [];
  for (const blob of blobs.values()) if (!(await hasBlob(store, blob.digest))) lacking.push(blob);
  return lacking;
}

const blobsOf = ({ config, layers }: Manifest): Descriptor[] => [config, ...layers];
