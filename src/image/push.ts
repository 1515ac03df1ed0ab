import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../model/image.ts';
import type { StorePaths } from '../system/store-paths.ts';
import type { ImageOperation } from './ingest.ts';
import { pullName } from './reference.ts';
import { type SkopeoOptions, skopeoCopy } from './skopeo.ts';
import { stageImage, withStaging } from './staging.ts';
import { formatLocation, type Location, parseLocation } from './transport.ts';

export interface PushOptions extends ImageOperation, SkopeoOptions {
  /** Manifest type; default: the image's own. */
  readonly format?: 'oci' | 'v2s2' | undefined;
  /** For `dir:` only; registries get compressed layers anyway. */
  readonly compress?: boolean | undefined;
}

/**
 * Copies an image to a registry (`docker://NAME` or NAME), an archive or a directory. Returns the digest of the
 * manifest as it arrived there. Fails with IMAGE_FAILED, USAGE, NO_SPACE, INTERRUPTED.
 */
export async function pushImage(
  store: StorePaths,
  image: Image,
  destination: string,
  options: PushOptions = {},
): Promise<string> {
  const location = parseLocation(destination);
  const to: Location =
    location.transport === 'docker' ? { ...location, name: pullName(location.name) } : location;
  return withStaging(store, async (scratch) => {
    const directory = join(scratch, 'image');
    await stageImage(store, image, directory);
    const digestFile = join(scratch, 'digest');
    options.progress?.({ phase: 'push', subject: formatLocation(to) });
    await skopeoCopy(
      {
        from: { transport: 'dir', path: directory, name: undefined },
        to,
        flags: [`--digestfile=${digestFile}`, ...formatFlags(options)],
        scratch,
        doing: `push image ${image.id.slice(0, 12)} to ${formatLocation(to)}`,
      },
      options,
    );
    options.progress?.({ phase: 'push', subject: formatLocation(to), done: true });
    return (await readFile(digestFile, 'utf8')).trim();
  });
}

const formatFlags = (options: PushOptions): string[] => [
  ...(options.format === undefined ? [] : [`--format=${options.format}`]),
  ...(options.compress === true ? ['--dest-compress'] : []),
];
