import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { digestOf, hasBlob } from './blobs.ts';
import { readImageManifest } from './config.ts';
import { type ImageOperation, ingestImage } from './ingest.ts';
import { findLayer } from './layers.ts';
import { loadImages } from './load.ts';
import { choosePlatform, hostPlatform } from './platform.ts';
import { pullName } from './reference.ts';
import { isIndex, parseIndex } from './schema.ts';
import { type SkopeoOptions, skopeoCopy, skopeoRawManifest } from './skopeo.ts';
import { stagedBlob, stagedManifest, withStaging } from './staging.ts';
import { type Location, parseLocation } from './transport.ts';

export type { RegistryAccess } from './skopeo.ts';

export interface PullOptions extends ImageOperation, SkopeoOptions {
  /** Images of the store: one that the registry's name still stands for is not fetched again. */
  readonly known?: readonly Image[] | undefined;
}

/**
 * Fetches an image from a registry (a short name comes from docker.io), or from an archive or directory that the
 * reference names by its transport. Returns it under its full name; the caller records it. Fails with IMAGE_FAILED,
 * IMAGE_INVALID, NO_SPACE, USAGE, INTERRUPTED.
 */
export async function pullImage(
  store: StorePaths,
  reference: string,
  options: PullOptions = {},
): Promise<Image> {
  const location = parseLocation(reference);
  if (location.transport !== 'docker') {
    const [image] = await loadImages(
      store,
      { path: location.path },
      { ...options, signaturePolicy: options.access?.signaturePolicy, wanted: location.name },
    );
    return image ?? fail('IMAGE_FAILED', { message: `${location.path} holds no image` });
  }
  const name = pullName(location.name);
  const from: Location = { transport: 'docker', name };
  return withStaging(store, async (scratch) => {
    const present = await findPresent(store, from, scratch, options);
    if (present !== undefined) return { ...present, names: [name] };
    const directory = join(scratch, 'image');
    options.progress?.({ phase: 'pull', subject: name });
    await skopeoCopy(
      { from, to: { transport: 'dir', path: directory, name: undefined }, scratch, doing: `pull ${name}` },
      { ...options, platform: options.platform ?? hostPlatform() },
    );
    options.progress?.({ phase: 'pull', subject: name, done: true });
    const files = {
      manifest: stagedManifest(directory),
      blob: (digest: string) => stagedBlob(directory, digest),
      move: true,
      verified: true,
      what: name,
    };
    return ingestImage(store, files, [name], options);
  });
}

/** The known image that the name stands for on the registry now, if all its files are there. */
async function findPresent(
  store: StorePaths,
  from: Location,
  scratch: string,
  options: PullOptions,
): Promise<Image | undefined> {
  if (options.known === undefined || options.known.length === 0) return undefined;
  const raw = await skopeoRawManifest(from, options, scratch);
  const platform = options.platform ?? hostPlatform();
  const digest = isIndex(raw)
    ? choosePlatform(parseIndex(raw, 'the index'), platform, from.name ?? '').digest
    : digestOf(raw);
  const image = options.known.find((one) => one.digest === digest);
  return image !== undefined && (await isComplete(store, image)) ? image : undefined;
}

async function isComplete(store: StorePaths, image: Image): Promise<boolean> {
  if (!(await hasBlob(store, image.digest))) return false;
  const manifest = await readImageManifest(store, image);
  const blobs = await Promise.all(
    [manifest.config, ...manifest.layers].map((descriptor) => hasBlob(store, descriptor.digest)),
  );
  const layers = await Promise.all(image.layers.map((id) => findLayer(store, id)));
  return blobs.every(Boolean) && layers.every((layer) => layer !== undefined);
}
