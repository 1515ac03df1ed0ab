import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { IDENTITY_FILE, parseIdentity } from '../archive/identity.ts';
import { MEMBER, MEMBER_DIRECTORY, PARENT_LINK } from '../archive/members.ts';
import { unpackArchive } from '../archive/reader.ts';
import type { ArchiveSource } from '../archive/types.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { freeBytes } from '../system/space.ts';
import { holdsImages } from './checkpoint-files.ts';
import { CONFIG_DUMP, parseMember } from './checkpoint-view/member-schema.ts';
import type { EngineContext } from './context.ts';

/** What a checkpoint's archive says of the pre-checkpoint that it builds on. */
export interface PreviousNeed {
  /** The checkpoint's archive, for errors. */
  readonly name: string;
  /** ID of its container. */
  readonly container: string;
  /** Identity; undefined where the archive does not tell (podman's). */
  readonly previous: string | undefined;
}

/** Unpacked images lack the pages of a pre-checkpoint. */
export async function buildsOnPrevious(directory: string): Promise<boolean> {
  try {
    return (await lstat(join(directory, PARENT_LINK.name))).isSymbolicLink();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Unpacks the images of a pre-checkpoint's archive beside those of the checkpoint that `directory` holds. Another
 * pre-checkpoint than the one that the checkpoint was made after would bring back wrong memory without a word: refused
 * (RESTORE_REFUSED) where either archive tells. Errors: ARCHIVE_INVALID, NO_SPACE, USAGE, INTERRUPTED.
 */
export async function readPrevious(
  ctx: EngineContext,
  directory: string,
  source: ArchiveSource,
  need: PreviousNeed,
): Promise<void> {
  const name = nameOf(source);
  const scratch = join(directory, 'previous');
  await mkdir(scratch, { mode: 0o700 });
  await unpackArchive({
    source,
    directory: scratch,
    wants: isWanted,
    maxBytes: await freeBytes(directory),
    progress: (bytes) => ctx.progress({ phase: 'import', subject: name, bytes }),
    signal: ctx.signal,
  });
  const images = join(scratch, MEMBER_DIRECTORY.preImages);
  if (!holdsImages(images)) {
    fail('RESTORE_REFUSED', {
      message: `${name} holds no complete pre-checkpoint: pre-checkpoint/inventory.img is missing`,
      hint: 'Give what container checkpoint --pre-checkpoint --export has written.',
    });
  }
  await refuseOther(scratch, name, need);
  await rename(images, join(directory, MEMBER_DIRECTORY.preImages));
}

export const nameOf = (source: ArchiveSource): string => ('path' in source ? source.path : 'standard input');

const WANTED = new Set<string>([MEMBER.config, MEMBER.facts]);

const isWanted = (member: string): boolean =>
  WANTED.has(member) || member.startsWith(`${MEMBER_DIRECTORY.preImages}/`);

async function refuseOther(scratch: string, name: string, need: PreviousNeed): Promise<void> {
  const hint = `Give the last archive that container checkpoint --pre-checkpoint --export has written before ${need.name}.`;
  const path = join(scratch, MEMBER.config);
  if (!existsSync(path)) {
    fail('ARCHIVE_INVALID', {
      message: `${name} is no archive of a pre-checkpoint: it has no ${MEMBER.config}`,
    });
  }
  const { id } = parseMember(CONFIG_DUMP, await readFile(path, 'utf8'), MEMBER.config);
  if (id !== need.container) {
    fail('RESTORE_REFUSED', {
      message: `${name} is a pre-checkpoint of the container ${id || 'of no ID'}, and ${need.name} a checkpoint of ${need.container}`,
      hint,
    });
  }
  const identity = await identityIn(join(scratch, MEMBER_DIRECTORY.preImages, IDENTITY_FILE));
  if (identity === need.previous) return;
  fail('RESTORE_REFUSED', {
    message: `${name} is not the pre-checkpoint that ${need.name} was made after`,
    hint,
  });
}

const identityIn = async (path: string): Promise<string | undefined> =>
  existsSync(path) ? parseIdentity(await readFile(path, 'utf8')).id : undefined;
