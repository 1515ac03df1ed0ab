import { lstat, lutimes, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { makeWhiteout, setXattr } from '../system/libc.ts';
import { runOk } from '../system/process.ts';

/** Markers of deleted files in layers (OCI image-spec layer.md, "Whiteouts"). */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
/** Other names with this prefix are the private data of AUFS, which no layer should show. */
const META_PREFIX = '.wh..wh.';

/** Bytes of names; a layer that deletes more than this is not an image. */
const MAX_LISTING = 64 << 20;

/**
 * Turns the whiteout files of an unpacked layer into those of overlayfs: a character device 0/0 for a deleted name, the
 * attribute `trusted.overlay.opaque` for a directory whose lower content is hidden. Directories keep their times.
 * Nobody else may write to `diff` meanwhile.
 */
export async function convertWhiteouts(diff: string, signal?: AbortSignal): Promise<void> {
  const markers = await findMarkers(diff, signal);
  const parents = new Set(markers.map((marker) => dirname(join(diff, marker))));
  const times = await Promise.all([...parents].map(async (path) => ({ path, stat: await lstat(path) })));
  for (const marker of markers) await convert(join(diff, marker));
  for (const { path, stat } of times) await lutimes(path, stat.atimeMs / 1000, stat.mtimeMs / 1000);
}

/** Relative paths of the markers. find(1) does not follow links, so each lies below `diff`. */
async function findMarkers(diff: string, signal: AbortSignal | undefined): Promise<string[]> {
  const listing = await runOk(
    ['find', diff, '-mindepth', '1', '-name', `${WHITEOUT_PREFIX}*`, '-prune', '-printf', '%P\\0'],
    'look for whiteouts',
    { maxOutput: MAX_LISTING + (1 << 20), signal },
  );
  if (listing.length > MAX_LISTING) fail('IMAGE_INVALID', { message: 'the layer has too many whiteouts' });
  if (listing.includes('\ufffd')) {
    fail('IMAGE_INVALID', { message: 'the layer deletes a file whose name is not UTF-8' });
  }
  return listing.split('\0').filter((path) => path !== '');
}

async function convert(marker: string): Promise<void> {
  const directory = dirname(marker);
  const name = basename(marker);
  await rm(marker, { recursive: true, force: true });
  if (name === OPAQUE_MARKER) return makeOpaque(directory);
  if (name.startsWith(META_PREFIX)) return;
  const deleted = name.slice(WHITEOUT_PREFIX.length);
  if (deleted === '' || deleted === '.' || deleted === '..') {
    fail('IMAGE_INVALID', { message: `the layer has a malformed whiteout: ${name}` });
  }
  try {
    await makeWhiteout(Buffer.from(join(directory, deleted)));
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    // The layer deletes the lower file and has a new one. Only a directory would let the lower one shine through.
    const path = join(directory, deleted);
    if ((await lstat(path)).isDirectory()) await makeOpaque(path);
  }
}

const makeOpaque = (directory: string): Promise<void> => setXattr(directory, 'trusted.overlay.opaque', 'y');
