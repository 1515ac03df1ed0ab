import { link, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { decompress } from './archive-file.ts';
import { blobPath, openRegular } from './blobs.ts';
import { detectCompression } from './compression.ts';
import { readImageConfig, readImageManifest } from './config.ts';
import type { ImageOperation } from './ingest.ts';
import { type Output, writeOutput } from './output.ts';
import { skopeoCopy } from './skopeo.ts';
import { stageImage, withStaging } from './staging.ts';
import type { Location } from './transport.ts';

export type SaveFormat = 'docker-archive' | 'oci-archive' | 'docker-dir' | 'oci-dir';

export const SAVE_FORMATS: readonly SaveFormat[] = ['docker-archive', 'oci-archive', 'docker-dir', 'oci-dir'];

/** An image and the full names that go into the archive. */
export interface SaveItem {
  readonly image: Image;
  readonly names: readonly string[];
}

export interface SaveOptions extends ImageOperation {
  readonly format: SaveFormat;
  /** Compresses the layers of a directory. */
  readonly compress?: boolean | undefined;
  /** File descriptor for skopeo's own account; default: nobody. */
  readonly account?: number | undefined;
}

/**
 * Writes images as an archive (to a file, atomically, or to a descriptor) or as a new directory. Only docker-archives
 * hold several images. Layers of a docker-archive are uncompressed, as `docker load` and others expect. Fails with
 * USAGE, IMAGE_FAILED, NO_SPACE, INTERRUPTED.
 */
export async function saveImages(
  store: StorePaths,
  items: readonly SaveItem[],
  output: Output,
  options: SaveOptions,
): Promise<void> {
  const [first] = items;
  if (first === undefined) return fail('USAGE', { message: 'no image to save was given' });
  if (options.format !== 'docker-archive' && items.length > 1) {
    fail('USAGE', {
      message: `the format ${options.format} holds one image; use docker-archive for several`,
    });
  }
  await withStaging(store, async (scratch) => {
    if (options.format === 'docker-archive') return saveDockerArchive(store, items, output, scratch, options);
    await stageImage(store, first.image, join(scratch, 'image'));
    if (options.format === 'oci-archive') return saveOciArchive(first, output, scratch, options);
    return saveDirectory(first, output, scratch, options);
  });
}

/** The format of `docker save` (image-spec v1.2 of the moby project): manifest.json, configs, and layers as tars. */
async function saveDockerArchive(
  store: StorePaths,
  items: readonly SaveItem[],
  output: Output,
  scratch: string,
  options: SaveOptions,
): Promise<void> {
  const directory = join(scratch, 'archive');
  await mkdir(directory, { mode: 0o700 });
  const members = new Set<string>();
  const manifest: { Config: string; RepoTags: readonly string[]; Layers: readonly string[] }[] = [];
  for (const { image, names } of items) {
    const layers = await layLayers(store, image, directory, members, options);
    const config = `${image.id}.json`;
    if (!members.has(config)) await link(blobPath(store, `sha256:${image.id}`), join(directory, config));
    members.add(config);
    manifest.push({ Config: config, RepoTags: names, Layers: layers });
  }
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
  await writeOutput(output, (fd) =>
    runOk([...TAR, `--directory=${directory}`, '--', ...members, 'manifest.json'], 'write the archive', {
      stdout: fd,
      signal: options.signal,
    }),
  );
}

/** The same images give the same bytes, whoever saves them and when. */
const TAR = [
  'tar',
  '--create',
  '--file=-',
  '--format=gnu',
  '--hard-dereference',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mode=0444',
  '--mtime=@0',
];

/** Puts the image's uncompressed layers into `directory` and returns their names; each only once. */
async function layLayers(
  store: StorePaths,
  image: Image,
  directory: string,
  members: Set<string>,
  options: SaveOptions,
): Promise<string[]> {
  const manifest = await readImageManifest(store, image);
  const { rootfs } = await readImageConfig(store, image);
  const names: string[] = [];
  for (const [at, { digest }] of manifest.layers.entries()) {
    const name = `${(rootfs.diff_ids[at] ?? digest).replace('sha256:', '')}.tar`;
    names.push(name);
    if (members.has(name)) continue;
    members.add(name);
    options.progress?.({ phase: 'save', subject: digest });
    await layPlain(blobPath(store, digest), join(directory, name), options.signal);
  }
  return names;
}

async function layPlain(blob: string, target: string, signal: AbortSignal | undefined): Promise<void> {
  const file = await openRegular(blob);
  try {
    const compression = await detectCompression(file);
    if (compression === 'none') return await link(blob, target);
    const plain = await decompress({ file, compression }, target, signal);
    await plain.close();
  } finally {
    await file.close();
  }
}

async function saveOciArchive(
  { names }: SaveItem,
  output: Output,
  scratch: string,
  options: SaveOptions,
): Promise<void> {
  const path = join(scratch, 'archive.tar');
  await copyOut({ transport: 'oci-archive', path, name: names[0] }, scratch, ['--format=oci'], options);
  const archive = await open(path, 'r');
  try {
    await writeOutput(output, (fd) => runOk(['cat'], 'write the archive', { input: archive.fd, stdout: fd }));
  } finally {
    await archive.close();
  }
}

async function saveDirectory(
  { names }: SaveItem,
  output: Output,
  scratch: string,
  options: SaveOptions,
): Promise<void> {
  if (!('path' in output)) return fail('USAGE', { message: `the format ${options.format} needs --output` });
  const to: Location =
    options.format === 'oci-dir'
      ? { transport: 'oci', path: output.path, name: names[0] }
      : { transport: 'dir', path: output.path, name: undefined };
  const flags = options.format === 'oci-dir' ? ['--format=oci'] : ['--format=v2s2'];
  await copyOut(to, scratch, options.compress === true ? [...flags, '--dest-compress'] : flags, options);
}

const copyOut = (
  to: Location,
  scratch: string,
  flags: readonly string[],
  options: SaveOptions,
): Promise<void> =>
  skopeoCopy(
    {
      from: { transport: 'dir', path: join(scratch, 'image'), name: undefined },
      to,
      flags,
      scratch,
      doing: 'save the image',
    },
    { output: options.account, signal: options.signal },
  );
