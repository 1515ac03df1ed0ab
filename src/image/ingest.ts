import { errnoOf, fail } from '../model/errors.ts';
import type { Image, ImageConfig } from '../model/image.ts';
import { type Progress, silentProgress } from '../model/progress.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { digestHex, digestOf, hasBlob, putBlobFile, readCapped } from './blobs.ts';
import { type Layer, unpackLayer } from './layers.ts';
import {
  type Descriptor,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  type Manifest,
  parseImageConfig,
  parseManifest,
} from './schema.ts';

/** What all long operations on images take. */
export interface ImageOperation {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Files of one image, wherever they lie. */
export interface ImageFiles {
  /** Path of the manifest. */
  readonly manifest: string;
  /** Path of a blob. */
  readonly blob: (digest: string) => string;
  /** The files are ours, on the store's file system: they are moved into the store. */
  readonly move: boolean;
  /** Who wrote the files has checked that each blob has its digest. */
  readonly verified: boolean;
  /** Names the source in errors. */
  readonly what: string;
}

/** Image.created where the config does not tell. */
const UNKNOWN_TIME = '1970-01-01T00:00:00Z';

/**
 * Takes an image into the store: blobs first, then the unpacked layers, config and manifest last. Idempotent and
 * durable; after a failure only blobs and layers remain that a second try or {@link deleteUnusedFiles} deals with.
 * Nothing of it counts until the caller records the Image.
 */
export async function ingestImage(
  store: StorePaths,
  files: ImageFiles,
  names: readonly string[],
  operation: ImageOperation,
): Promise<Image> {
  const manifestBytes = await readCapped(files.manifest, MAX_MANIFEST_BYTES);
  const digest = digestOf(manifestBytes);
  const manifest = parseManifest(manifestBytes.toString('utf8'), `the manifest of ${files.what}`);
  const config = await readConfig(files, manifest);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    fail('IMAGE_INVALID', {
      message: `${files.what} has ${manifest.layers.length} layers, but its config knows ${diffIds.length}`,
    });
  }
  const layers = await ingestLayers(store, files, manifest, diffIds, operation);
  // Both are small and checked again: where several images share one of them, the next one still finds it.
  const put = { move: false, verified: false, signal: operation.signal };
  await putUnlessPresent(store, files, manifest.config, put);
  await putBlobFile(store, digest, files.manifest, put);
  return {
    id: digestHex(manifest.config.digest),
    digest,
    names,
    layers: layers.map((layer) => layer.chainId),
    size: layers.reduce((total, layer) => total + layer.size, 0),
    created: config.created ?? UNKNOWN_TIME,
    annotations: manifest.annotations ?? {},
  };
}

async function readConfig(files: ImageFiles, manifest: Manifest): Promise<ImageConfig> {
  const { digest } = manifest.config;
  const bytes = await present(files, digest, () => readCapped(files.blob(digest), MAX_CONFIG_BYTES));
  const actual = digestOf(bytes);
  if (actual !== digest) {
    fail('IMAGE_INVALID', { message: `the config of ${files.what} is ${actual}, not ${digest}` });
  }
  return parseImageConfig(bytes.toString('utf8'), `the config of ${files.what}`);
}

async function ingestLayers(
  store: StorePaths,
  files: ImageFiles,
  manifest: Manifest,
  diffIds: readonly string[],
  operation: ImageOperation,
): Promise<Layer[]> {
  const progress = operation.progress ?? silentProgress;
  const totalBytes = manifest.layers.reduce((total, layer) => total + layer.size, 0);
  const layers: Layer[] = [];
  let bytes = 0;
  for (const [at, descriptor] of manifest.layers.entries()) {
    progress({ phase: 'unpack', subject: files.what, bytes, totalBytes });
    await putUnlessPresent(store, files, descriptor, { ...files, signal: operation.signal });
    const parent = layers.at(-1)?.chainId;
    layers.push(
      await unpackLayer(store, {
        blob: descriptor.digest,
        parent,
        diffId: diffIds[at],
        signal: operation.signal,
      }),
    );
    bytes += descriptor.size;
  }
  progress({ phase: 'unpack', subject: files.what, bytes, totalBytes, done: true });
  return layers;
}

interface PutChoice {
  readonly move: boolean;
  readonly verified: boolean;
  readonly signal: AbortSignal | undefined;
}

/** A layer that occurs twice in an image was moved away the first time. */
async function putUnlessPresent(
  store: StorePaths,
  files: ImageFiles,
  descriptor: Descriptor,
  { move, verified, signal }: PutChoice,
): Promise<void> {
  const { digest } = descriptor;
  if (await hasBlob(store, digest)) return;
  await present(files, digest, () =>
    putBlobFile(store, digest, files.blob(digest), { move, verified, signal }),
  );
}

/** Runs `work`, and explains a file that the source should have. */
async function present<T>(files: ImageFiles, digest: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return fail('IMAGE_INVALID', { message: `${files.what} lacks the blob ${digest}`, cause: error });
  }
}
