import { join } from 'node:path';
import type { Image } from '../model/image.ts';
import { timestamp } from '../system/clock.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { decompress, type InputSource, spool } from './archive-file.ts';
import { buildImage, type LayerFile } from './build.ts';
import { applyChanges } from './changes.ts';
import { MEDIA_SUFFIX } from './compression.ts';
import type { ImageOperation } from './ingest.ts';
import { hostPlatform, type Platform } from './platform.ts';
import { normalizeName } from './reference.ts';
import { withStaging } from './staging.ts';

export interface ImportOptions extends ImageOperation {
  /** Short names become localhost/NAME:latest; undefined leaves the image without a name. */
  readonly name?: string | undefined;
  /** Comment of the image's history. */
  readonly message?: string | undefined;
  /** Dockerfile instructions, see {@link applyChanges}. */
  readonly changes?: readonly string[] | undefined;
  readonly platform?: Platform | undefined;
}

/**
 * Makes an image of one layer from a root file system archive (tar; plain, gzip, zstd, bzip2 or xz). The caller records
 * it. Fails with USAGE, IMAGE_INVALID, NO_SPACE, INTERRUPTED.
 */
export async function importImage(
  store: StorePaths,
  source: InputSource,
  options: ImportOptions = {},
): Promise<Image> {
  const defaults = applyChanges({}, options.changes ?? []);
  const names = options.name === undefined ? [] : [normalizeName(options.name)];
  const { architecture, os, variant } = options.platform ?? hostPlatform();
  const created = timestamp();
  return withStaging(store, async (scratch) =>
    buildImage(store, {
      layers: [await layerFile(source, scratch, options.signal)],
      names,
      progress: options.progress,
      signal: options.signal,
      config: ([layer]) => ({
        created,
        architecture,
        os,
        ...(variant === undefined ? {} : { variant }),
        config: defaults,
        history: [
          {
            created,
            created_by: `/bin/sh -c #(nop) ADD file:${layer?.chainId ?? ''} in / `,
            ...(options.message === undefined ? {} : { comment: options.message }),
          },
        ],
      }),
    }),
  );
}

/** OCI layers cannot be bzip2 or xz: those are kept uncompressed. */
async function layerFile(
  source: InputSource,
  scratch: string,
  signal: AbortSignal | undefined,
): Promise<LayerFile> {
  const spooled = await spool(source, scratch, signal);
  try {
    if (MEDIA_SUFFIX[spooled.compression] !== undefined) {
      return { path: spooled.path, move: spooled.ours };
    }
    const path = join(scratch, 'layer');
    const plain = await decompress(spooled, path, signal);
    await plain.close();
    return { path, move: true };
  } finally {
    await spooled.file.close();
  }
}
