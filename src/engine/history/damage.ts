import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import { checkPageFiles } from '../../criu/delta/check-page-files.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import { isCryopodError, messageOf } from '../../model/errors.ts';
import { digestsOf, readDigests } from '../../system/digests.ts';
import type { EngineContext } from '../context.ts';
import { DIGESTS, digestOfEntry, entryDirectory, imagesOf } from './entry.ts';

/**
 * What is wrong with a checkpoint: as it was found out before, or now by a look at everything but pages and files, which
 * only verify reads.
 */
export async function findDamage(
  ctx: EngineContext,
  { container, name, digest, status, message }: NamedCheckpoint,
): Promise<string | undefined> {
  if (status === 'damaged') return message;
  const entry = entryDirectory(ctx.store, container, name);
  try {
    if ((await digestOfEntry(entry)) !== digest) return 'its lists of digests are not as they were written';
    await checkPageFiles(imagesOf(entry));
    return (await wrongMember(entry)) ?? (await wrongImage(imagesOf(entry)));
  } catch (error) {
    if (!isCryopodError(error, 'IMAGE_INVALID') && !(error instanceof Error && 'code' in error)) throw error;
    return messageOf(error);
  }
}

async function wrongMember(entry: string): Promise<string | undefined> {
  const listed = await readDigests(join(entry, DIGESTS));
  const names = [...listed.keys()].filter((name) => !name.startsWith('./rootfs/') && !isOfVolume(name));
  const now = await digestsOf(entry, names);
  const wrong = names.find((name) => now.get(name) !== listed.get(name));
  return wrong === undefined ? undefined : `${wrong.slice(2)} is not as it was written`;
}

const isOfVolume = (name: string): boolean => name.startsWith(`./${MEMBER_DIRECTORY.volumes}/`);

/** In a directory of images: why pages in it that came from another checkpoint cannot be trusted. */
const DAMAGE = 'damage';

const isPages = (name: string): boolean => name.startsWith('./pages-');

async function wrongImage(images: string): Promise<string | undefined> {
  const inherited = await inheritedDamage(images);
  if (inherited !== undefined) return inherited;
  return await wrongIn(images, (name) => !isPages(name));
}

async function wrongIn(images: string, concerns: (name: string) => boolean): Promise<string | undefined> {
  const listed = await readDigests(join(images, DIGESTS));
  const names = [...listed.keys()].filter(concerns);
  const now = await digestsOf(images, names, { plainNames: true });
  const wrong = names.find((name) => now.get(name) !== listed.get(name));
  return wrong === undefined
    ? undefined
    : `${MEMBER_DIRECTORY.images}/${wrong.slice(2)} is not as it was written`;
}

/** What was damaged when these images took pages from it; undefined for nothing. */
export async function inheritedDamage(images: string): Promise<string | undefined> {
  const note = join(images, DAMAGE);
  return existsSync(note) ? await readFile(note, 'utf8') : undefined;
}

/**
 * New images were made of others: when those are damaged, which the digests of the new ones would hide, a note in the new
 * directory says so.
 */
export async function inheritDamage(into: string, sources: readonly string[]): Promise<void> {
  for (const source of sources) {
    const damage = (await inheritedDamage(source)) ?? (await wrongIn(source, () => true));
    if (damage === undefined) continue;
    await rm(join(into, DAMAGE), { force: true });
    await writeFile(join(into, DAMAGE), damage, { mode: 0o600 });
    return;
  }
}
