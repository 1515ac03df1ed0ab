import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import { append, memberFiles } from '../../archive/reader-files.ts';
import type { MemberEntry, MemberSource } from '../../archive/types.ts';
import { writeAll } from '../../archive/writer-pump.ts';
import { PARENT_LINK } from '../../criu/delta/chain.ts';
import { errnoOf, fail } from '../../model/errors.ts';
import { applyRound } from '../../rootfs/rounds/apply-round.ts';
import { decodePaths } from '../../rootfs/rounds/write-round.ts';
import { syncFileSystem } from '../../system/durable.ts';
import { throughPipe } from '../../system/through-pipe.ts';
import { roundMember } from './round-members.ts';

/** What has come in rounds, in one directory. */
export interface TakenRounds {
  /** Takes in the members of a round, up to its end. Errors: ARCHIVE_INVALID, NO_SPACE, those of the source. */
  readonly take: (source: MemberSource) => Promise<void>;
  /** Takes in members that hold files, and passes the others on. */
  readonly sift: (source: MemberSource) => MemberSource;
  /** Directories of the trees that have come, by their members. */
  readonly trees: ReadonlyMap<string, string>;
  /** Directories of the rounds of memory, oldest first. Each but the first has a link to the one before it. */
  readonly memory: readonly string[];
}

/** Bytes of a list of paths. */
const MAX_REMOVED = 64 << 20;

/** Name of a round of memory, also where it lies in a container's bundle. */
const memoryName = (number: number): string =>
  number === 1 ? MEMBER_DIRECTORY.preImages : `${MEMBER_DIRECTORY.preImages}-${number}`;

/** `directory`: empty, of this process alone. Nothing that comes is trusted. */
export function takenRounds(directory: string): TakenRounds {
  const trees = new Map<string, string>();
  const removed = new Map<string, string[]>();
  const memory: string[] = [];
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
  const takeFiles = async (source: MemberSource, entry: MemberEntry): Promise<boolean> => {
    const member = entry.kind === 'file' ? roundMember(entry.name) : undefined;
    if (member === undefined || member.kind === 'memory') return false;
    if (member.kind === 'files') await takeTree(source, member.tree);
    else removed.set(member.tree, decodePaths(await wholeContent(source, entry.name)));
    return true;
  };
  const takeMemory = async (source: MemberSource, entry: MemberEntry): Promise<void> => {
    const member = entry.kind === 'file' ? roundMember(entry.name) : undefined;
    if (member?.kind !== 'memory') {
      return fail('ARCHIVE_INVALID', { message: `a round brings ${JSON.stringify(entry.name)}` });
    }
    const file = await memberFiles(memory.at(-1) ?? directory).create(member.name);
    try {
      for (let part = await source.content(); part !== undefined; part = await source.content()) {
        await append(file, member.name, part);
      }
    } finally {
      await file.close();
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
          if (entry === undefined || !(await takeFiles(source, entry))) return entry;
        }
      },
    }),
    take: async (source) => {
      const images = join(directory, memoryName(memory.length + 1));
      await mkdir(images, { mode: 0o700 });
      if (memory.length > 0) await symlink(`../${memoryName(memory.length)}`, join(images, PARENT_LINK));
      memory.push(images);
      for (let entry = await source.next(); entry !== undefined; entry = await source.next()) {
        if (!(await takeFiles(source, entry))) await takeMemory(source, entry);
      }
      // So that little is left for the moment in which the container waits for it.
      await syncFileSystem(directory);
    },
  };
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
    if (bytes > MAX_REMOVED)
      fail('ARCHIVE_INVALID', { message: `${name} has more than ${MAX_REMOVED} bytes` });
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}
