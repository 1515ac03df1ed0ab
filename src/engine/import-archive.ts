import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArchiveFacts } from '../archive/facts.ts';
import { MEMBER, MEMBER_DIRECTORY } from '../archive/members.ts';
import { parseNetworkStatus } from '../archive/network-status.ts';
import { unpackArchive } from '../archive/reader.ts';
import type { ArchiveSource, UnpackedArchive } from '../archive/types.ts';
import { checkPageFiles } from '../criu/pages.ts';
import { fail } from '../model/errors.ts';
import { listImages } from '../state/images.ts';
import { freeBytes } from '../system/space.ts';
import { holdsImages } from './checkpoint-files.ts';
import type { EngineContext } from './context.ts';
import { readConfigDump } from './plan/config-dump/read.ts';
import type { ArchiveView } from './plan/preflight/types.ts';

/** An archive's members, unpacked and checked. */
export interface ImportedArchive {
  readonly directory: string;
  readonly view: ArchiveView;
  readonly has: (member: string) => boolean;
}

export interface ReadRequest {
  readonly source: ArchiveSource;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  /** Told what is known as soon as the metadata are read; what it throws ends the reading. */
  readonly onMetadata: (view: ArchiveView) => Promise<void>;
}

/**
 * Unpacks an archive into an empty directory and checks all that can be checked without creating anything. Errors:
 * ARCHIVE_INVALID, RESTORE_REFUSED (no checkpoint in it), NO_SPACE, USAGE, INTERRUPTED.
 */
export async function readArchive(
  ctx: EngineContext,
  directory: string,
  { source, ignoreRootfs, ignoreVolumes, onMetadata }: ReadRequest,
): Promise<ImportedArchive> {
  const name = 'path' in source ? source.path : 'standard input';
  const seen = new Set<string>();
  const skipped = (member: string): boolean =>
    (ignoreRootfs && (member === MEMBER.rootfsDiff || member === MEMBER.deleted)) ||
    (ignoreVolumes && member.startsWith(`${MEMBER_DIRECTORY.volumes}/`)) ||
    (member === MEMBER.image && seen.has(MEMBER.config) && imageIsHere(ctx, viewed));
  let viewed: ArchiveView | undefined;
  const { members } = await unpackArchive({
    source,
    directory,
    wants: (member) => !skipped(member) && !member.startsWith(`${MEMBER_DIRECTORY.artifacts}/`),
    maxBytes: await freeBytes(directory),
    onMember: async (member) => {
      seen.add(member);
      if (viewed !== undefined || !seen.has(MEMBER.config) || !seen.has(MEMBER.spec)) return;
      viewed = await viewOf(directory, name, undefined);
      await onMetadata(viewed);
    },
    progress: (bytes) => ctx.progress({ phase: 'import', subject: name, bytes }),
    signal: ctx.signal,
  });
  requireMember(seen, MEMBER.config, name);
  requireMember(seen, MEMBER.spec, name);
  const images = join(directory, MEMBER_DIRECTORY.images);
  if (!holdsImages(images)) {
    fail('RESTORE_REFUSED', {
      message: `${name} holds no complete checkpoint of processes: checkpoint/inventory.img is missing`,
    });
  }
  await checkPageFiles(images);
  const view = await viewOf(directory, name, members);
  await onMetadata(view);
  return { directory, view, has: (member) => seen.has(member) };
}

const requireMember = (seen: ReadonlySet<string>, member: string, name: string): unknown =>
  seen.has(member) ||
  fail('ARCHIVE_INVALID', { message: `${name} is no checkpoint archive: it has no ${member}` });

const imageIsHere = (ctx: EngineContext, view: ArchiveView | undefined): boolean =>
  view !== undefined && listImages(ctx.db).some(({ id }) => id === view.config.imageId);

async function viewOf(
  directory: string,
  name: string,
  members: UnpackedArchive['members'] | undefined,
): Promise<ArchiveView> {
  const read = (member: string): Promise<string> => readFile(join(directory, member), 'utf8');
  const facts = existsSync(join(directory, MEMBER.facts)) ? await read(MEMBER.facts) : undefined;
  return {
    name,
    ...readConfigDump(await read(MEMBER.config), await read(MEMBER.spec)),
    facts: facts === undefined ? undefined : parseArchiveFacts(facts),
    networks: await networksOf(directory),
    members,
    directory,
  };
}

/** cryopod keeps all addresses beside CRIU's images, of which network.status holds those that podman can give again. */
async function networksOf(directory: string): Promise<ArchiveView['networks']> {
  for (const path of [
    join(directory, MEMBER_DIRECTORY.images, MEMBER.network),
    join(directory, MEMBER.network),
  ]) {
    if (existsSync(path)) return parseNetworkStatus(await readFile(path, 'utf8'));
  }
  return undefined;
}

/** What an archive may have put where cryopod keeps files of its own, beside CRIU's images. */
export async function removeForeignFiles(images: string): Promise<void> {
  for (const name of [MEMBER.network, MEMBER.shm]) await rm(join(images, name), { force: true });
}
