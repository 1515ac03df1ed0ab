import type { FileHandle } from 'node:fs/promises';
import { chmod, chown, mkdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { publish, tempBeside, writeDurable } from '../system/durable.ts';
import { runOk } from '../system/process.ts';
import { layersDirectory, type StorePaths } from '../system/store-paths.ts';
import { blobPath, digestHex, digestOf, openRegular, readCapped } from './blobs.ts';
import { detectCompression } from './compression.ts';
import { extract } from './extract.ts';
import { parseLayerRecord } from './schema.ts';
import { convertWhiteouts } from './whiteouts.ts';

/** An unpacked layer. */
export interface Layer {
  /** Names this layer on top of these lower layers (OCI image-spec config.md, "Layer ChainID"); without `sha256:`. */
  readonly chainId: string;
  /** Digest of the uncompressed tar stream, with `sha256:`. */
  readonly diffId: string;
  /** Bytes of the uncompressed tar stream. */
  readonly size: number;
}

export interface UnpackRequest {
  /** Digest of the blob, which the store must hold. */
  readonly blob: string;
  /** Chain ID of the layer below. */
  readonly parent: string | undefined;
  /** What the config says about the uncompressed stream; undefined for a new layer, which is believed. */
  readonly diffId: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The directory of an unpacked layer, as overlayfs takes it for a lower layer. */
export const layerDiffDirectory = (store: StorePaths, chainId: string): string =>
  join(layersDirectory(store), chainId, 'diff');

/** Written last into a layer's directory; it holds what only unpacking can tell. */
const recordPath = (directory: string): string => join(directory, 'layer.json');
const MAX_RECORD_BYTES = 4096;

/** Mode of the root directory where no layer has an entry for it, as other engines make it. */
const ROOT_MODE = 0o555;

/** The chain ID of a layer on top of `parent`. */
export const chainId = (parent: string | undefined, diffId: string): string =>
  parent === undefined ? digestHex(diffId) : digestHex(digestOf(`sha256:${parent} ${diffId}`));

/** The chain IDs of a whole image, lowest first. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) chain.push(chainId(chain.at(-1), diffId));
  return chain;
}

/** The record of an unpacked layer, or undefined where it is not there. */
export async function findLayer(store: StorePaths, id: string): Promise<Layer | undefined> {
  const path = recordPath(join(layersDirectory(store), id));
  try {
    const json = await readCapped(path, MAX_RECORD_BYTES);
    return { chainId: id, ...parseLayerRecord(json.toString('utf8'), path) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Uncompressed bytes of layers, for `history`; 0 for one that is not unpacked. */
export async function layerSizes(store: StorePaths, ids: readonly string[]): Promise<number[]> {
  const layers = await Promise.all(ids.map((id) => findLayer(store, id)));
  return layers.map((layer) => layer?.size ?? 0);
}

/**
 * Unpacks a layer's blob into `layers/CHAINID/diff`. Idempotent, atomic and durable; two that unpack the same layer at
 * once do not harm each other. Fails with IMAGE_INVALID for a damaged or hostile layer, NO_SPACE, INTERRUPTED.
 */
export async function unpackLayer(store: StorePaths, request: UnpackRequest): Promise<Layer> {
  if (request.diffId !== undefined) {
    const present = await findLayer(store, chainId(request.parent, request.diffId));
    if (present !== undefined) return present;
  }
  await mkdir(layersDirectory(store), { recursive: true, mode: 0o700 });
  const blob = await openRegular(blobPath(store, request.blob));
  const temp = tempBeside(join(layersDirectory(store), digestHex(request.blob)));
  try {
    await mkdir(join(temp, 'diff'), { recursive: true, mode: 0o700 });
    const layer = await fill(store, request, blob, temp);
    await publishLayer(store, layer, temp);
    return layer;
  } finally {
    await blob.close();
    await rm(temp, { recursive: true, force: true });
  }
}

async function fill(
  store: StorePaths,
  request: UnpackRequest,
  blob: FileHandle,
  temp: string,
): Promise<Layer> {
  const diff = join(temp, 'diff');
  const { parent, signal } = request;
  await checkSpace(store, blob);
  await copyRootAttributes(parent === undefined ? undefined : layerDiffDirectory(store, parent), diff);
  const compression = await detectCompression(blob);
  const { diffId, size } = await extract({ fd: blob.fd, compression, what: request.blob, diff, signal });
  if (request.diffId !== undefined && request.diffId !== diffId) {
    fail('IMAGE_INVALID', {
      message: `layer ${request.blob} unpacks to ${diffId}, but the image's config says ${request.diffId}`,
    });
  }
  await convertWhiteouts(diff, signal);
  await writeDurable(recordPath(temp), JSON.stringify({ diffId, size }));
  return { chainId: chainId(parent, diffId), diffId, size };
}

/** Syncs the whole file system at once: cheaper than syncing tens of thousands of files one by one. */
async function publishLayer(store: StorePaths, layer: Layer, temp: string): Promise<void> {
  await runOk(['sync', '--file-system', temp], `write layer ${layer.chainId} to disk`);
  try {
    await publish(temp, join(layersDirectory(store), layer.chainId));
  } catch (error) {
    const errno = errnoOf(error);
    // Someone else has unpacked the same layer meanwhile.
    if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw error;
  }
}

/**
 * The uppermost layer decides how `/` looks, so each layer starts with what the one below has; its own entry for `/`
 * then overrules.
 */
async function copyRootAttributes(parent: string | undefined, diff: string): Promise<void> {
  if (parent === undefined) return chmod(diff, ROOT_MODE);
  const { uid, gid, mode } = await stat(parent);
  await chown(diff, uid, gid);
  await chmod(diff, mode & 0o7777);
}

/** Refuses what cannot fit: unpacked data is at least as large as the blob. */
async function checkSpace(store: StorePaths, blob: FileHandle): Promise<void> {
  const { bavail, bsize } = await statfs(layersDirectory(store));
  const { size } = await blob.stat();
  if (bavail * bsize > size) return;
  fail('NO_SPACE', {
    message: `could not unpack a layer of ${size} bytes: ${store.root} has ${bavail * bsize} bytes free`,
    hint: 'Free some space, or choose another store with --root.',
  });
}
