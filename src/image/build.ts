import type { Image, ImageConfig } from '../model/image.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { blobPath, digestHex, digestOfFile, openRegular, putBlobContent, putBlobFile } from './blobs.ts';
import { type Compression, detectCompression, MEDIA_SUFFIX } from './compression.ts';
import type { ImageOperation } from './ingest.ts';
import { type Layer, unpackLayer } from './layers.ts';
import { MEDIA_TYPES } from './schema.ts';

/** A file that becomes a layer: a tar archive, plain, gzip or zstd. */
export interface LayerFile {
  readonly path: string;
  /** The file is ours, on the store's file system: it is moved into the store. */
  readonly move: boolean;
}

export interface BuildRequest extends ImageOperation {
  /** Lowest first. */
  readonly layers: readonly LayerFile[];
  /** Makes the config, once the layers are known. Its `rootfs` is filled in here. */
  readonly config: (layers: readonly Layer[]) => Omit<ImageConfig, 'rootfs'>;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Full names. */
  readonly names: readonly string[];
}

interface BuiltLayer extends Layer {
  readonly blob: string;
  readonly compression: Compression;
  readonly bytes: number;
}

/**
 * Makes an OCI image of layers and a config. Durable; after a failure only blobs and layers remain that nothing refers
 * to. Fails with IMAGE_INVALID, NO_SPACE, INTERRUPTED.
 */
export async function buildImage(store: StorePaths, request: BuildRequest): Promise<Image> {
  const layers: BuiltLayer[] = [];
  for (const file of request.layers) {
    layers.push(await addLayer(store, file, layers.at(-1)?.chainId, request));
  }
  const { history, ...settings } = request.config(layers);
  const config: ImageConfig = {
    ...settings,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    ...(history === undefined ? {} : { history }),
  };
  const configJson = JSON.stringify(config);
  const configDigest = await putBlobContent(store, configJson);
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: {
      mediaType: MEDIA_TYPES.ociConfig,
      digest: configDigest,
      size: Buffer.byteLength(configJson),
    },
    layers: layers.map(({ blob, compression, bytes }) => ({
      mediaType: `${MEDIA_TYPES.ociLayer}${MEDIA_SUFFIX[compression] ?? ''}`,
      digest: blob,
      size: bytes,
    })),
    ...(request.annotations === undefined ? {} : { annotations: request.annotations }),
  };
  return {
    id: digestHex(configDigest),
    digest: await putBlobContent(store, JSON.stringify(manifest)),
    names: request.names,
    layers: layers.map((layer) => layer.chainId),
    size: layers.reduce((total, layer) => total + layer.size, 0),
    created: config.created ?? '',
    annotations: request.annotations ?? {},
  };
}

async function addLayer(
  store: StorePaths,
  file: LayerFile,
  parent: string | undefined,
  { progress, signal }: BuildRequest,
): Promise<BuiltLayer> {
  const blob = await digestOfFile(file.path, signal);
  progress?.({ phase: 'unpack', subject: blob });
  // A file of our own cannot have changed since it was hashed.
  await putBlobFile(store, blob, file.path, { move: file.move, verified: file.move, signal });
  const layer = await unpackLayer(store, { blob, parent, diffId: undefined, signal });
  const handle = await openRegular(blobPath(store, blob));
  try {
    const { size: bytes } = await handle.stat();
    return { ...layer, blob, bytes, compression: await detectCompression(handle) };
  } finally {
    await handle.close();
  }
}
