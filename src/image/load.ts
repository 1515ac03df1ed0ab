import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { run, runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { decompress, describeSource, type InputSource, spool } from './archive-file.ts';
import { digestHex, readCapped } from './blobs.ts';
import { type ImageOperation, ingestImage } from './ingest.ts';
import { choosePlatform, hostPlatform, type Platform } from './platform.ts';
import { normalizeName } from './reference.ts';
import {
  type ArchiveManifest,
  isIndex,
  MAX_MANIFEST_BYTES,
  type ManifestIndex,
  parseArchiveManifest,
  parseIndex,
} from './schema.ts';
import { skopeoCopy } from './skopeo.ts';
import { stagedBlob, stagedManifest, withStaging } from './staging.ts';

export interface LoadOptions extends ImageOperation {
  readonly platform?: Platform | undefined;
  /** File descriptor for skopeo's own account of the transfer. */
  readonly output?: number | undefined;
  readonly signaturePolicy?: string | undefined;
  /** Only the image of this name in the archive. */
  readonly wanted?: string | undefined;
}

/**
 * Loads all images of a docker-archive or oci-archive (told by their content, compressed or not), or of an OCI layout
 * or `dir:` directory, with the names that they have there. The caller records them. Fails with IMAGE_INVALID,
 * IMAGE_FAILED, NO_SPACE, INTERRUPTED.
 */
export async function loadImages(
  store: StorePaths,
  source: InputSource,
  options: LoadOptions = {},
): Promise<Image[]> {
  return withStaging(store, async (scratch) => {
    if ('path' in source && (await isDirectory(source.path))) {
      return loadDirectory(store, source.path, options);
    }
    const spooled = await spool(source, scratch, options.signal);
    try {
      const plain = await decompress(spooled, join(scratch, 'plain'), options.signal);
      try {
        return merge(await loadArchive(store, plain, describeSource(source), scratch, options));
      } finally {
        if (plain !== spooled.file) await plain.close();
      }
    } finally {
      await spooled.file.close();
    }
  });
}

async function loadArchive(
  store: StorePaths,
  archive: FileHandle,
  what: string,
  scratch: string,
  options: LoadOptions,
): Promise<Image[]> {
  const manifest = await readMember(archive, 'manifest.json');
  if (manifest !== undefined) {
    const entries = parseArchiveManifest(manifest, `manifest.json of ${what}`);
    return loadDockerArchive(store, archive, entries, what, scratch, options);
  }
  if ((await readMember(archive, 'index.json')) === undefined) {
    fail('IMAGE_INVALID', {
      message: `${what} is neither a docker-archive nor an oci-archive`,
      hint: 'Root file system archives are taken by cryopod import, checkpoints by cryopod container restore --import.',
    });
  }
  const layout = join(scratch, 'layout');
  await unpackLayout(archive, layout, what, options.signal);
  return loadLayout(store, layout, what, true, options);
}

/** The text of a member of a tar archive, or undefined where it has none of that name. */
async function readMember(archive: FileHandle, name: string): Promise<string | undefined> {
  for (const member of [name, `./${name}`]) {
    const result = await run(
      ['tar', '--extract', '--file=/proc/self/fd/3', '--to-stdout', '--occurrence=1', '--', member],
      { extraFds: [archive.fd], maxOutput: MAX_MANIFEST_BYTES },
    );
    if (result.ok) return result.stdout;
  }
  return undefined;
}

/** skopeo builds the manifest that such an archive lacks; its layers are checked against the config when unpacked. */
async function loadDockerArchive(
  store: StorePaths,
  archive: FileHandle,
  entries: ArchiveManifest,
  what: string,
  scratch: string,
  options: LoadOptions,
): Promise<Image[]> {
  const images: Image[] = [];
  for (const [at, entry] of entries.entries()) {
    const names = (entry.RepoTags ?? []).map(normalizeName);
    if (options.wanted !== undefined && !names.includes(normalizeName(options.wanted))) continue;
    const directory = join(scratch, `image-${at}`);
    await skopeoCopy(
      {
        from: { transport: 'docker-archive', path: '/proc/self/fd/3', name: `@${at}` },
        to: { transport: 'dir', path: directory, name: undefined },
        extraFds: [archive.fd],
        scratch,
        doing: `load ${what}`,
      },
      {
        output: options.output,
        signal: options.signal,
        access: { signaturePolicy: options.signaturePolicy },
      },
    );
    images.push(await ingestImage(store, dirFiles(directory, what, true), names, options));
  }
  return images;
}

const dirFiles = (directory: string, what: string, ours: boolean) => ({
  manifest: stagedManifest(directory),
  blob: (digest: string) => stagedBlob(directory, digest),
  move: ours,
  verified: ours,
  what,
});

/** Only plain files and directories are let through: a link could lead an attacker's name to a file of the host. */
async function unpackLayout(
  archive: FileHandle,
  layout: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(layout, { mode: 0o700 });
  const extract = ['tar', '--extract', '--file=/proc/self/fd/3', '--no-same-owner', '--no-same-permissions'];
  await runOk([...extract, `--directory=${layout}`], `unpack ${what}`, { extraFds: [archive.fd], signal });
  const odd = await runOk(
    ['find', layout, '-not', '-type', 'd', '-not', '-type', 'f', '-print', '-quit'],
    'check',
  );
  if (odd !== '') fail('IMAGE_INVALID', { message: `${what} holds something other than files` });
}

async function loadDirectory(store: StorePaths, path: string, options: LoadOptions): Promise<Image[]> {
  if (await readable(join(path, 'index.json'))) {
    return merge(await loadLayout(store, path, path, false, options));
  }
  if (!(await readable(stagedManifest(path)))) {
    fail('IMAGE_INVALID', { message: `${path} is neither an OCI layout nor a dir: directory` });
  }
  return [await ingestImage(store, dirFiles(path, path, false), [], options)];
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** An OCI image layout (image-spec image-layout.md). `ours`: its files may be moved. */
async function loadLayout(
  store: StorePaths,
  layout: string,
  what: string,
  ours: boolean,
  options: LoadOptions,
): Promise<Image[]> {
  const blob = (digest: string): string => join(layout, 'blobs', 'sha256', digestHex(digest));
  const json = await readCapped(join(layout, 'index.json'), MAX_MANIFEST_BYTES);
  const index = parseIndex(json.toString('utf8'), `index.json of ${what}`);
  const images: Image[] = [];
  for (const { digest, names } of chooseEntries(index, what, options)) {
    const manifest = await resolveIndex(blob, digest, what, options.platform ?? hostPlatform());
    const files = { manifest: blob(manifest), blob, move: ours, verified: false, what };
    images.push(await ingestImage(store, files, names, options));
  }
  return images;
}

const REF_NAME = 'org.opencontainers.image.ref.name';
/** Where `docker save` writes the full name. */
const CONTAINERD_NAME = 'io.containerd.image.name';

/** All entries of a layout; one without any name may be a list of platforms, of which one is taken. */
function chooseEntries(
  index: ManifestIndex,
  what: string,
  options: LoadOptions,
): { digest: string; names: string[] }[] {
  const entries = index.manifests.map(({ digest, annotations }) => {
    const name = annotations?.[CONTAINERD_NAME] ?? annotations?.[REF_NAME];
    return { digest, names: name === undefined ? [] : [normalizeName(name)] };
  });
  const { wanted } = options;
  if (wanted !== undefined) return entries.filter(({ names }) => names.includes(normalizeName(wanted)));
  if (entries.length > 1 && entries.every(({ names }) => names.length === 0)) {
    const { digest } = choosePlatform(index, options.platform ?? hostPlatform(), what);
    return [{ digest, names: [] }];
  }
  return entries;
}

/** Follows an index to the manifest for the platform; indices may be nested, though not for ever. */
async function resolveIndex(
  blob: (digest: string) => string,
  digest: string,
  what: string,
  platform: Platform,
  depth = 0,
): Promise<string> {
  const json = (await readCapped(blob(digest), MAX_MANIFEST_BYTES)).toString('utf8');
  if (!isIndex(json)) return digest;
  if (depth > 3) fail('IMAGE_INVALID', { message: `${what} nests its indices too deeply` });
  const chosen = choosePlatform(parseIndex(json, `an index of ${what}`), platform, what);
  return resolveIndex(blob, chosen.digest, what, platform, depth + 1);
}

/** An image that occurs under several names is one image. */
function merge(images: readonly Image[]): Image[] {
  const byId = new Map<string, Image>();
  for (const image of images) {
    const names = new Set([...(byId.get(image.id)?.names ?? []), ...image.names]);
    byId.set(image.id, { ...image, names: [...names] });
  }
  return [...byId.values()];
}
