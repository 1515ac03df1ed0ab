import { existsSync } from 'node:fs';
import { open, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArchiveFacts } from '../archive/facts.ts';
import { IDENTITY_FILE } from '../archive/identity.ts';
import { MEMBER, MEMBER_DIRECTORY, PARENT_LINK } from '../archive/members.ts';
import { parseNetworkStatus } from '../archive/network-status.ts';
import { type MemberRequest, takeMembers, unpackArchive } from '../archive/reader.ts';
import type { ArchiveSource, MemberSource, UnpackedArchive } from '../archive/types.ts';
import { checkPageFiles } from '../criu/delta/check-page-files.ts';
import { readImageNeeds } from '../criu/image-needs.ts';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { listImages } from '../state/images.ts';
import { publish, type SyncChoice, syncTree } from '../system/durable.ts';
import { freeBytes } from '../system/space.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { shmArchivePath } from './bundle-files.ts';
import { holdsImages } from './checkpoint-files.ts';
import { withScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';
import { buildsOnPrevious, nameOf, readPrevious } from './import-previous.ts';
import { ownsShm } from './namespaces.ts';
import { writeNetworkStatus } from './network/status-file.ts';
import { readConfigDump } from './plan/config-dump/read.ts';
import { imageRisks } from './plan/preflight/images.ts';
import type { ArchiveView } from './plan/preflight/types.ts';
import { readRecord } from './pre-checkpoint-files.ts';
import { imageLeaks } from './preflight/confinement.ts';

/** An archive's members, unpacked and checked. */
export interface ImportedArchive {
  readonly directory: string;
  readonly view: ArchiveView;
  readonly has: (member: string) => boolean;
  /** Gives `work` the content of a member that is a tar archive itself. */
  readonly read: (member: string, work: (fd: number) => Promise<void>) => Promise<void>;
  /** The images lack the pages of a pre-checkpoint, which lies beside them, unless it is a local one. */
  readonly buildsOn: boolean;
  /** What has come before it, of a move in rounds. */
  readonly rounds?: ArchiveRounds | undefined;
}

/** Files and memory beside an archive's members, on the same file system. */
export interface ArchiveRounds {
  /** Directories that hold what is in the members of these names otherwise. */
  readonly trees: ReadonlyMap<string, string>;
  /** Directories of CRIU's images that those of the archive build on, under the names that they keep. */
  readonly memory: readonly string[];
}

/** Members that come from somewhere else than an archive, and its name for messages. */
export interface NamedMembers {
  readonly name: string;
  readonly members: MemberSource;
}

export interface ReadRequest {
  readonly source: ArchiveSource | NamedMembers;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  /** Archive of the pre-checkpoint that it builds on; `local` where that is at hand. */
  readonly previous?: ArchiveSource | 'local' | undefined;
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
  { source, previous, ignoreRootfs, ignoreVolumes, onMetadata }: ReadRequest,
): Promise<ImportedArchive> {
  const name = 'members' in source ? source.name : nameOf(source);
  const seen = new Set<string>();
  const skipped = (member: string): boolean =>
    (ignoreRootfs && (member === MEMBER.rootfsDiff || member === MEMBER.deleted)) ||
    (ignoreVolumes && member.startsWith(`${MEMBER_DIRECTORY.volumes}/`)) ||
    member.startsWith(`${MEMBER_DIRECTORY.preImages}/`) ||
    (member === MEMBER.image && seen.has(MEMBER.config) && imageIsHere(ctx, viewed));
  let viewed: ArchiveView | undefined;
  const { members } = await unpack(source, {
    directory,
    wants: (member) => !skipped(member) && !member.startsWith(`${MEMBER_DIRECTORY.artifacts}/`),
    maxBytes: await freeBytes(directory),
    onMember: async (member) => {
      seen.add(member);
      if (viewed !== undefined || !seen.has(MEMBER.config) || !seen.has(MEMBER.spec)) return;
      viewed = await viewOf(directory, name, undefined);
      await onMetadata(viewed);
    },
    // Of a file, as much as was read of it: its size is known, that of what is packed in it is not.
    progress: (bytes, stored) => ctx.progress({ phase: 'import', subject: name, ...(stored ?? { bytes }) }),
    signal: ctx.signal,
  }).finally(() => ctx.progress({ phase: 'import', subject: name, done: true }));
  requireMember(seen, MEMBER.config, name);
  requireMember(seen, MEMBER.spec, name);
  const images = join(directory, MEMBER_DIRECTORY.images);
  if (!holdsImages(images)) {
    fail('RESTORE_REFUSED', {
      message: `${name} holds no complete checkpoint of processes: checkpoint/inventory.img is missing`,
      hint: isPreCheckpoint(members)
        ? 'It is a pre-checkpoint, which holds memory only: give it with --import-previous beside the checkpoint after it.'
        : undefined,
    });
  }
  const view = await viewOf(directory, name, members);
  const buildsOn = await buildsOnPrevious(directory);
  if (buildsOn && previous === undefined) refuseAlone(name, view);
  await onMetadata(view);
  if (buildsOn && previous !== undefined && previous !== 'local') {
    const need = { name, container: view.config.id, previous: view.facts?.previous };
    await readPrevious(ctx, directory, previous, need);
  }
  if (previous !== 'local') await checkPageFiles(images);
  return {
    directory,
    view,
    buildsOn,
    has: (member) => seen.has(member),
    read: (member, work) => withFile(join(directory, member), work),
  };
}

async function unpack(
  source: ReadRequest['source'],
  request: MemberRequest,
): Promise<Pick<UnpackedArchive, 'members'>> {
  if (!('members' in source)) return await unpackArchive({ ...request, source });
  const taken = await takeMembers(source.members, request);
  if (!taken.verified) fail('ARCHIVE_INVALID', { message: `${source.name} sent no sums of what it sent` });
  return taken;
}

async function withFile(path: string, work: (fd: number) => Promise<void>): Promise<void> {
  const file = await open(path, 'r');
  try {
    await work(file.fd);
  } finally {
    await file.close();
  }
}

/** The paths in an unpacked deleted.files; none where there is no such file. Errors: ARCHIVE_INVALID. */
export async function readDeleted(directory: string): Promise<string[]> {
  const list = join(directory, MEMBER.deleted);
  if (!existsSync(list)) return [];
  try {
    const value: unknown = JSON.parse(await readFile(list, 'utf8')) ?? [];
    if (Array.isArray(value) && value.every((path) => typeof path === 'string')) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail('ARCHIVE_INVALID', { message: 'deleted.files is not a JSON list of paths' });
}

const isPreCheckpoint = (members: UnpackedArchive['members']): boolean =>
  members.some(({ name }) => name.startsWith(`${MEMBER_DIRECTORY.preImages}/`));

const refuseAlone = (name: string, { config }: ArchiveView): never =>
  fail('RESTORE_REFUSED', {
    message: `${name} holds only what has changed since a pre-checkpoint of ${config.name}, and is of no use alone`,
    hint: 'Give the archive of the pre-checkpoint too: --import-previous FILE',
  });

const requireMember = (seen: ReadonlySet<string>, member: string, name: string): unknown =>
  seen.has(member) ||
  fail('ARCHIVE_INVALID', { message: `${name} is no checkpoint archive: it has no ${member}` });

const imageIsHere = (ctx: EngineContext, view: ArchiveView | undefined): boolean =>
  view !== undefined && listImages(ctx.db).some(({ id }) => id === view.config.imageId);

export async function viewOf(
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

export interface Placement extends SyncChoice {
  /** The container keeps its addresses; otherwise it gets new ones. */
  readonly keepAddresses: boolean;
  /** Name of the local pre-checkpoint that the images build on; undefined where that was unpacked too, or there is none. */
  readonly previous?: string | undefined;
}

/** Makes the unpacked images the local checkpoint of a container. */
export async function placeImages(
  ctx: EngineContext,
  id: string,
  { directory, view, has, buildsOn, rounds }: ImportedArchive,
  { keepAddresses, previous, sync }: Placement,
): Promise<void> {
  const images = join(directory, MEMBER_DIRECTORY.images);
  if (buildsOn && rounds !== undefined) {
    for (const from of rounds.memory)
      await publish(from, join(bundleDirectory(ctx.store, id), basename(from)));
  } else if (buildsOn) await placePrevious(ctx, id, directory, { previous, sync });
  // An archive may have put anything where cryopod keeps files of its own, beside CRIU's images.
  for (const name of [MEMBER.network, MEMBER.shm]) await rm(join(images, name), { force: true });
  // podman packs the host's too.
  if (has(MEMBER.shm) && ownsShm(view.config))
    await rename(join(directory, MEMBER.shm), shmArchivePath(images));
  if (view.networks !== undefined && keepAddresses) await writeNetworkStatus(images, view.networks);
  if (sync) await syncTree(images);
  await publish(images, checkpointDirectory(ctx.store, id));
}

async function placePrevious(
  ctx: EngineContext,
  id: string,
  directory: string,
  { previous, sync }: Omit<Placement, 'keepAddresses'>,
): Promise<void> {
  if (previous !== undefined) {
    const link = join(directory, PARENT_LINK.name);
    await rm(link);
    await symlink(`../${previous}`, link);
    return;
  }
  const images = join(directory, MEMBER_DIRECTORY.preImages);
  // It is no pre-checkpoint of the run that begins now, whatever it says.
  await rm(join(images, IDENTITY_FILE), { force: true });
  if (sync) await syncTree(images);
  await publish(images, join(bundleDirectory(ctx.store, id), MEMBER_DIRECTORY.preImages));
}

/**
 * After an export the memory lies in the archive alone: as long as that is where it was written, a restore takes it from
 * there. Does nothing where the container has a local checkpoint or the archive is gone. Errors: those of readArchive.
 */
export async function fetchExported(ctx: EngineContext, { config, state }: Container): Promise<void> {
  const { exportPath, exportPrevious } = state;
  if (!state.checkpointed || exportPath === undefined || !existsSync(exportPath)) return;
  if (holdsImages(checkpointDirectory(ctx.store, config.id))) return;
  await withScratch(ctx.store, async (directory) => {
    const archive = await readArchive(ctx, directory, {
      source: { path: exportPath },
      previous: exportPrevious === undefined ? undefined : 'local',
      ignoreRootfs: true,
      ignoreVolumes: true,
      onMetadata: async (view) => {
        if (view.config.id === config.id) return;
        fail('RESTORE_REFUSED', {
          message: `${exportPath}, to which ${config.name} was exported, now holds the container ${view.config.id}`,
          hint: 'Import the right archive: cryopod container restore --import FILE',
        });
      },
    });
    if (archive.buildsOn) requireLocal(ctx, config, exportPrevious, archive.view);
    const needs = await readImageNeeds(join(directory, MEMBER_DIRECTORY.images));
    const [risk] = imageRisks(config, needs, await imageLeaks(config, needs));
    if (risk !== undefined) {
      fail('RESTORE_REFUSED', {
        message: `${exportPath}, to which ${config.name} was exported, has changed: the container in it ${risk}`,
        hint: 'Remove the container and import the archive with --trust if you know where it comes from.',
      });
    }
    await placeImages(ctx, config.id, archive, {
      keepAddresses: true,
      previous: exportPrevious,
      sync: true,
    });
  });
}

/** The pre-checkpoint that an archive was made after is still with its container. */
function requireLocal(
  ctx: EngineContext,
  { id, name }: Container['config'],
  previous: string | undefined,
  { name: path, facts }: ArchiveView,
): void {
  const directory = join(bundleDirectory(ctx.store, id), previous ?? '');
  if (previous !== undefined && readRecord(directory)?.id === facts?.previous) return;
  fail('RESTORE_REFUSED', {
    message: `${path} builds on a pre-checkpoint that ${name} has no longer`,
    hint: 'Import both archives: cryopod container restore --import-previous FILE --import FILE',
  });
}
