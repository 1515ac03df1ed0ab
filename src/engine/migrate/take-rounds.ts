import { createHash } from 'node:crypto';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY, type MemberDigest } from '../../archive/members.ts';
import { append, memberFiles } from '../../archive/reader-files.ts';
import { checkSums, parseSums } from '../../archive/sums.ts';
import type { MemberEntry, MemberSource } from '../../archive/types.ts';
import { writeAll } from '../../archive/writer-pump.ts';
import { MAX_LEVELS, PARENT_LINK } from '../../criu/delta/chain.ts';
import { errnoOf, fail } from '../../model/errors.ts';
import { applyRound } from '../../rootfs/rounds/apply-round.ts';
import { decodePaths } from '../../rootfs/rounds/write-round.ts';
import { syncFileSystem } from '../../system/durable.ts';
import { freeBytes } from '../../system/space.ts';
import { throughPipe } from '../../system/through-pipe.ts';
import { type RoundMember, roundMember } from './round-members.ts';

/** What has come in rounds, in one directory. */
export interface TakenRounds {
  /**
   * Takes in the members of rounds, and of what differs in the end, holds them against their sums, and passes the others on.
   * Its errors: ARCHIVE_INVALID, NO_SPACE, those of the source.
   */
  readonly sift: (source: MemberSource) => MemberSource;
  /** Directories of the trees that have come, by their members. */
  readonly trees: ReadonlyMap<string, string>;
  /** Directories of the rounds of memory, oldest first. Each but the first has a link to the one before it. */
  readonly memory: readonly string[];
}

/** Bytes of a list of paths, and of sums. */
const MAX_LIST = 64 << 20;

/** Name of a round of memory, also where it lies in a container's bundle. */
const memoryName = (number: number): string =>
  number === 1 ? MEMBER_DIRECTORY.preImages : `${MEMBER_DIRECTORY.preImages}-${number}`;

/**
 * `directory`: of this process alone; `onRound` is told of each round that is complete and on disk. Nothing that comes is
 * trusted.
 */
export function takenRounds(directory: string, onRound: (number: number) => Promise<void>): TakenRounds {
  const trees = new Map<string, string>();
  const removed = new Map<string, string[]>();
  const memory: string[] = [];
  /** Members that nothing has vouched for yet. */
  let unsure: MemberDigest[] = [];
  let rounds = 0;
  let memoryRounds = 0;
  const takeTree = async (source: MemberSource, tree: string): Promise<void> => {
    const copy = trees.get(tree) ?? join(directory, `tree-${trees.size}`);
    trees.set(tree, copy);
    const gone = removed.get(tree) ?? [];
    removed.delete(tree);
    await throughPipe(
      (fd) => feed(source, fd),
      (fd) => applyRound(copy, fd, gone, `the files of ${tree}`),
    );
  };
  const takeMemory = async (
    { content }: MemberSource,
    { writeInto }: MemberEntry,
    name: string,
  ): Promise<void> => {
    if (memory.length === memoryRounds) memory.push(await makeRound(directory, memory.length + 1));
    const file = await memberFiles(memory.at(-1) ?? directory).create(name);
    try {
      if (writeInto !== undefined) await writeInto(file, await freeBytes(directory));
      else
        for (let part = await content(); part !== undefined; part = await content()) {
          await append(file, name, part);
        }
    } finally {
      await file.close();
    }
  };
  const requireSums = (): void => {
    if (unsure.length > 0) fail('ARCHIVE_INVALID', { message: 'a round came without its sums' });
  };
  const endRound = async (): Promise<void> => {
    requireSums();
    memoryRounds = memory.length;
    rounds += 1;
    if (rounds >= MAX_LEVELS) fail('ARCHIVE_INVALID', { message: 'there is no end of rounds' });
    // So that little is left for the moment in which the container waits for it.
    await syncFileSystem(directory);
    await onRound(rounds);
  };
  const take = async (from: MemberSource, entry: MemberEntry): Promise<boolean> => {
    const member = roundMember(entry);
    if (member === undefined) return false;
    const { source, entry: same, digest } = summed(from, entry);
    await takeMember(source, same, member);
    if (entry.kind === 'file' && member.kind !== 'sums') unsure.push(await digest(entry.name));
    return true;
  };
  const takeMember = async (source: MemberSource, entry: MemberEntry, member: RoundMember): Promise<void> => {
    const { name } = entry;
    switch (member.kind) {
      case 'files':
        return await takeTree(source, member.tree);
      case 'removed':
        removed.set(member.tree, decodePaths(await wholeContent(source, name)));
        return;
      case 'memory':
        return await takeMemory(source, entry, member.name);
      case 'sums':
        checkSums(parseSums((await wholeContent(source, name)).toString('utf8')), unsure);
        unsure = [];
        return;
      case 'end':
        return await endRound();
    }
  };
  return {
    trees,
    memory,
    sift: (source) => ({
      ...source,
      next: async () => {
        for (;;) {
          const entry = await source.next();
          if (entry === undefined) requireSums();
          if (entry === undefined || !(await take(source, entry))) return entry;
        }
      },
    }),
  };
}

interface SummedMember {
  readonly source: MemberSource;
  readonly entry: MemberEntry;
  /** Reads the rest of the content past. Without a hash where a program wrote the content, and checked it. */
  readonly digest: (name: string) => Promise<MemberDigest>;
}

/** Hashes the content of one member on its way. */
function summed(from: MemberSource, entry: MemberEntry): SummedMember {
  const hash = createHash('sha256');
  let size = 0;
  let isHashed = true;
  const content = async (): Promise<Buffer | undefined> => {
    const part = await from.content();
    if (part !== undefined) hash.update(part);
    size += part?.length ?? 0;
    return part;
  };
  const { writeInto } = entry;
  const writeCounted: MemberEntry['writeInto'] =
    writeInto &&
    (async (file, most) => {
      size = await writeInto(file, most);
      isHashed = false;
      return size;
    });
  return {
    source: { ...from, content },
    entry: { ...entry, writeInto: writeCounted },
    digest: async (name) => {
      while ((await content()) !== undefined);
      return { name, size, ...(isHashed ? { sha256: hash.digest('hex') } : {}) };
    },
  };
}

async function makeRound(directory: string, number: number): Promise<string> {
  const images = join(directory, memoryName(number));
  await mkdir(images, { mode: 0o700 });
  if (number > 1) await symlink(`../${memoryName(number - 1)}`, join(images, PARENT_LINK));
  return images;
}

/** The rest of a member goes by once tar has what it needs. */
async function feed(source: MemberSource, fd: number): Promise<void> {
  try {
    for (let part = await source.content(); part !== undefined; part = await source.content()) {
      await writeAll(fd, part, null);
    }
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
  }
}

async function wholeContent(source: MemberSource, name: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (let part = await source.content(); part !== undefined; part = await source.content()) {
    bytes += part.length;
    if (bytes > MAX_LIST) fail('ARCHIVE_INVALID', { message: `${name} has more than ${MAX_LIST} bytes` });
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}
