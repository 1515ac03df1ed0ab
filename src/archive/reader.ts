import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, isCryopodError } from '../model/errors.ts';
import { sha256OfFd } from '../system/sha256.ts';
import { type ByteSource, describeSource, failInterrupted, openArchive } from './decompressor.ts';
import { type ArchiveSums, MEMBER, type MemberDigest, PARENT_LINK } from './members.ts';
import { append, type MemberFiles, memberFiles } from './reader-files.ts';
import { checkMemberSize, isCapped, type PlacedMember, placeMember } from './reader-names.ts';
import { checkSums, parseSums } from './sums.ts';
import { quoteName, tarReader } from './tar-reader.ts';
import type { MemberEntry, MemberSource, UnpackedArchive, UnpackRequest } from './types.ts';

/** No container has as many images; each costs memory here and a file there. */
const MAX_MEMBERS = 100_000;

/** Bytes up to which a member is hashed in any case, since it costs nothing that could be measured. */
const SMALL_MEMBER = 1 << 20;

const invalid = (message: string): never => fail('ARCHIVE_INVALID', { message });

/**
 * Reads an archive in one pass, and writes the wanted members into the directory while it does. Nothing in the archive
 * is trusted: only known names of regular files are written, sizes are checked before a byte is. `checkpoint/parent`
 * is made where it is wanted; it is in no list. On failure the directory holds what was written so far, which the caller
 * removes. Nothing is flushed to disk. Fails with ARCHIVE_INVALID, NO_SPACE (`maxBytes` or the disk), USAGE (nothing to
 * read), PROGRAM_MISSING, STORE_FAILED, INTERRUPTED, and with what `onMember` throws.
 */
export async function unpackArchive(request: UnpackRequest): Promise<UnpackedArchive> {
  const what = describeSource(request.source);
  const archive = await openArchive(request.source, request.signal);
  try {
    const members = await readMembers(archive, request);
    await archive.checkEnd();
    return { compression: archive.compression, ...members };
  } catch (error) {
    if (request.signal?.aborted === true) failInterrupted(what, error);
    if (!isCryopodError(error, 'ARCHIVE_INVALID')) throw error;
    // What looks like a short archive may be one that could not be decompressed.
    if (archive.hasEnded()) await archive.checkEnd();
    return fail('ARCHIVE_INVALID', {
      message: `${what} is no sound checkpoint archive: ${error.message}`,
      hint: 'Copy the archive again, or make the checkpoint again. Nothing of it was used.',
      cause: error,
    });
  } finally {
    await archive.close();
  }
}

interface Reading {
  readonly request: MemberRequest;
  readonly source: MemberSource;
  readonly files: MemberFiles;
  /** What was claimed so far. */
  bytes: number;
  count: number;
  readonly kinds: Map<string, MemberEntry['kind']>;
  /** All regular files, whatever their role. */
  readonly digests: MemberDigest[];
  readonly members: MemberDigest[];
  readonly unknown: string[];
  /** Content of cryopod.sums. */
  sums: string | undefined;
}

export type MemberRequest = Omit<UnpackRequest, 'source'>;

/** {@link unpackArchive} from uncompressed bytes. Messages of ARCHIVE_INVALID go on after "FILE is not sound: ". */
export const readMembers = (
  source: ByteSource,
  request: MemberRequest,
): Promise<Omit<UnpackedArchive, 'compression'>> =>
  takeMembers(tarReader(withProgress(source, request)), request);

/** {@link readMembers} from members that come in another way than in a tar archive; with the same checks. */
export async function takeMembers(
  source: MemberSource,
  request: MemberRequest,
): Promise<Omit<UnpackedArchive, 'compression'>> {
  const reading: Reading = {
    request,
    source,
    files: memberFiles(request.directory),
    bytes: 0,
    count: 0,
    kinds: new Map(),
    digests: [],
    members: [],
    unknown: [],
    sums: undefined,
  };
  for (let entry = await source.next(); entry !== undefined; entry = await source.next()) {
    await readMember(reading, entry);
  }
  await source.drain();
  const { sums, digests, members, unknown } = reading;
  if (digests.length === 0) invalid('it holds no members');
  const verified = sums !== undefined && (await agrees(reading, parseSums(sums)));
  return { members, unknown, verified };
}

/**
 * Holds what was read against the sums. What was not hashed on its way, because its frame's own check is enough for
 * archives of today, is hashed now where older ones tell a digest. Whether everything was checked in one of these ways.
 */
async function agrees({ digests, request, source }: Reading, expected: ArchiveSums): Promise<boolean> {
  const told = new Map(expected.members.map(({ name, sha256 }) => [name, sha256]));
  const members: MemberDigest[] = [];
  for (const member of digests) {
    const isOpen = member.sha256 === undefined && told.get(member.name) !== undefined;
    members.push(isOpen ? { ...member, sha256: await hashMember(request, member.name) } : member);
  }
  checkSums(expected, members);
  return source.isChecked === true || expected.members.every(({ sha256 }) => sha256 !== undefined);
}

async function hashMember({ directory, signal }: MemberRequest, name: string): Promise<string> {
  const file = await open(join(directory, name), 'r');
  try {
    return await sha256OfFd(file.fd, name, signal);
  } finally {
    await file.close();
  }
}

/** Counts bytes, and stops between two parts when the signal says so. */
function withProgress(source: ByteSource, { progress, signal }: MemberRequest): ByteSource {
  let bytes = 0;
  return {
    isChecked: source.isChecked,
    next: async () => {
      if (signal?.aborted === true) fail('INTERRUPTED', { message: 'reading the archive was interrupted' });
      const part = await source.next();
      bytes += part?.length ?? 0;
      progress?.(bytes, source.stored?.());
      return part;
    },
  };
}

async function readMember(reading: Reading, entry: MemberEntry): Promise<void> {
  const member = admit(reading, entry);
  if (member === undefined) return;
  const { name, role } = member;
  if (role === 'link' && reading.request.wants(name)) await reading.files.link(name, PARENT_LINK.target);
  if (entry.kind !== 'file') return;
  const digest = await readContent(reading, entry, member);
  if (role === 'known') reading.members.push(digest);
  if (role === 'unknown') reading.unknown.push(name);
  if (name !== MEMBER.sums) reading.digests.push(digest);
  if (isWritten(reading, member)) await reading.request.onMember?.(name);
}

const isWritten = ({ request }: Reading, { name, role }: PlacedMember): boolean =>
  role === 'known' && request.wants(name);

/** Lets a member in, or fails, before anything of it is read. Undefined for the archive's own root. */
function admit(reading: Reading, entry: MemberEntry): PlacedMember | undefined {
  reading.count += 1;
  if (reading.count > MAX_MEMBERS) invalid(`it has more than ${MAX_MEMBERS} members`);
  const member = placeMember(entry);
  if (reading.sums !== undefined) invalid(`its member ${quoteName(entry.name)} comes after its sums`);
  if (member === undefined) return undefined;
  const { kinds } = reading;
  if (kinds.has(member.name)) invalid(`its member ${quoteName(member.name)} occurs twice`);
  kinds.set(member.name, entry.kind);
  for (let end = member.name.lastIndexOf('/'); end !== -1; end = member.name.lastIndexOf('/', end - 1)) {
    const parent = member.name.slice(0, end);
    if ((kinds.get(parent) ?? 'directory') !== 'directory') {
      invalid(`its member ${quoteName(member.name)} lies below ${quoteName(parent)}, which is no directory`);
    }
  }
  countBytes(reading, member.name, entry.size ?? 0);
  return member;
}

function countBytes(reading: Reading, name: string, bytes: number): void {
  const { maxBytes } = reading.request;
  reading.bytes += bytes;
  if (reading.bytes <= maxBytes) return;
  fail('NO_SPACE', {
    message: `the archive's members take ${reading.bytes} bytes up to ${quoteName(name)}, and ${maxBytes} may be used`,
    hint: 'Make room on the file system that the checkpoint is unpacked to.',
  });
}

/** Content that a program writes and checks. */
async function writeBeside(
  reading: Reading,
  name: string,
  writeInto: Required<MemberEntry>['writeInto'] & {},
): Promise<MemberDigest> {
  const file = await reading.files.create(name);
  try {
    const size = await writeInto(file, reading.request.maxBytes - reading.bytes);
    countBytes(reading, name, size);
    return { name, size };
  } finally {
    await file.close();
  }
}

async function readContent(
  reading: Reading,
  entry: MemberEntry,
  member: PlacedMember,
): Promise<MemberDigest> {
  const { name } = member;
  const { source, files } = reading;
  const isWanted = isWritten(reading, member);
  if (isWanted && entry.writeInto !== undefined && !isCapped(name)) {
    return await writeBeside(reading, name, entry.writeInto);
  }
  const isLarge = entry.size !== undefined && entry.size > SMALL_MEMBER;
  const hash = isWanted && isLarge && source.isChecked === true ? undefined : createHash('sha256');
  const kept: Buffer[] = [];
  let size = 0;
  const file = isWanted ? await files.create(name) : undefined;
  try {
    for (let part = await source.content(); part !== undefined; part = await source.content()) {
      size += part.length;
      if (entry.size === undefined) {
        checkMemberSize(name, size);
        countBytes(reading, name, part.length);
      }
      // The thread that writes works while this one hashes.
      const written = file === undefined ? undefined : append(file, name, part);
      hash?.update(part);
      if (name === MEMBER.sums) kept.push(Buffer.from(part));
      await written;
    }
  } finally {
    await file?.close();
  }
  if (name === MEMBER.sums) reading.sums = Buffer.concat(kept).toString('utf8');
  return { name, size, ...(hash === undefined ? {} : { sha256: hash.digest('hex') }) };
}
