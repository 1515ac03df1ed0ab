import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../model/image.ts';
import { type StorePaths, stagingDirectory } from '../system/store-paths.ts';
import { blobPath, digestHex } from './blobs.ts';
import { readImageManifest } from './config.ts';

/** Marks a directory for skopeo's `dir:` transport (containers/image, directory/directory_dest.go). */
const DIR_VERSION = 'Directory Transport Version: 1.1\n';

/** Names of this area's directories in the staging directory, which others use too. */
export const STAGING_PREFIX = 'image-';

/** Gives `work` an empty directory on the store's file system, and removes it in the end. */
export async function withStaging<T>(store: StorePaths, work: (directory: string) => Promise<T>): Promise<T> {
  const parent = stagingDirectory(store);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(parent, STAGING_PREFIX));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The file of a blob in a `dir:` directory. */
export const stagedBlob = (directory: string, digest: string): string => join(directory, digestHex(digest));

export const stagedManifest = (directory: string): string => join(directory, 'manifest.json');

/** Lays an image out as a `dir:` directory, of hard links to the store's blobs: no data is copied. */
export async function stageImage(store: StorePaths, image: Image, directory: string): Promise<void> {
  const manifest = await readImageManifest(store, image);
  await mkdir(directory, { mode: 0o700 });
  await writeFile(join(directory, 'version'), DIR_VERSION);
  await link(blobPath(store, image.digest), stagedManifest(directory));
  const digests = new Set([manifest.config, ...manifest.layers].map((descriptor) => descriptor.digest));
  for (const digest of digests) await link(blobPath(store, digest), stagedBlob(directory, digest));
}
