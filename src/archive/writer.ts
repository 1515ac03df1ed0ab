import { closeSync, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fail, messageOf } from '../model/errors.ts';
import { enlargePipe, makePipe } from '../system/libc.ts';
import { type ArchiveSums, MEMBER, type MemberDigest, PARENT_LINK } from './members.ts';
import { digestOfMembers } from './sums.ts';
import type { ArchiveWriter, ArchiveWriterOptions } from './types.ts';
import { failChanged } from './writer-errors.ts';
import { type MemberSink, memberSink } from './writer-members.ts';
import { openOutput } from './writer-output.ts';
import { receivePages } from './writer-pages.ts';
import { PIPE_BYTES } from './writer-pump.ts';

/** Up to this size a file is read whole and shares a frame with its neighbours. */
const SMALL_FILE = 1 << 20;

/**
 * Opens an archive for writing: a tar of one pass, whose compressed parts follow each other as frames. Fails with USAGE
 * for a target that cannot be written, NO_SPACE, INTERRUPTED.
 */
export async function openArchiveWriter(options: ArchiveWriterOptions): Promise<ArchiveWriter> {
  const output = await openOutput(options);
  const sink = memberSink(output, options);
  const digests: MemberDigest[] = [];
  const once = oneAtATime();
  const note = (name: string, digest: Omit<MemberDigest, 'name'>): void => {
    digests.push({ name, ...digest });
  };
  return {
    addContent: (name, content) =>
      once(async () => note(name, await sink.addWhole(name, Buffer.from(content)))),
    addDirectory: (name) => once(() => sink.addDirectory(name)),
    addParentLink: () => once(() => sink.addLink(PARENT_LINK.name, PARENT_LINK.target)),
    addFile: (name, path) => once(async () => note(name, await addFile(sink, name, path))),
    addStream: (name, produce) => once(async () => note(name, await addStream(sink, name, produce))),
    addPages: (prefix, directory, dump) =>
      once(() =>
        receivePages(directory, dump, async (file, fd) => {
          const name = `${prefix}/${file}`;
          note(name, await sink.addUnsized(name, fd));
        }),
      ),
    finish: () =>
      once(async () => {
        const sums: ArchiveSums = { version: 2, members: digests, sha256: digestOfMembers(digests) };
        await sink.addWhole(MEMBER.sums, Buffer.from(`${JSON.stringify(sums)}\n`));
        const bytes = await sink.finish();
        return { bytes, members: sums.members, sha256: sums.sha256 };
      }),
    publish: () => once(() => output.publish()),
    discard: () => output.discard(),
  };
}

/** Runs calls that must not overlap, and none after one that has failed. */
function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let state: 'idle' | 'busy' | 'failed' = 'idle';
  return async (work) => {
    if (state !== 'idle') fail('INTERNAL', { message: `an archive was written to while it was ${state}` });
    state = 'busy';
    try {
      const result = await work();
      state = 'idle';
      return result;
    } catch (error) {
      state = 'failed';
      throw error;
    }
  };
}

type Digest = Omit<MemberDigest, 'name'>;

async function addFile(sink: MemberSink, name: string, path: string): Promise<Digest> {
  const file = await openRegular(path);
  try {
    const { size } = await file.stat();
    if (size > SMALL_FILE) return await sink.addSized(name, size, file.fd, path);
    const content = await file.readFile();
    if (content.length !== size) failChanged(path);
    return await sink.addWhole(name, content);
  } finally {
    await file.close();
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  // O_NONBLOCK: opening a FIFO by mistake must not wait.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) =>
    fail('ARCHIVE_FAILED', {
      message: `could not put ${path} into the archive: ${messageOf(error)}`,
      cause: error,
    }),
  );
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return fail('ARCHIVE_FAILED', {
    message: `could not put ${path} into the archive: it is not a regular file`,
  });
}

/** When the archive cannot be written, the reading end closes, so that the producer's next write fails. */
async function addStream(
  sink: MemberSink,
  name: string,
  produce: (fd: number) => Promise<void>,
): Promise<Digest> {
  const pipe = await makePipe();
  await enlargePipe(pipe.read, PIPE_BYTES);
  const producing = (async () => produce(pipe.write))().finally(() => closeSync(pipe.write));
  const writing = sink.addUnsized(name, pipe.read).finally(() => closeSync(pipe.read));
  const [produced, written] = await Promise.allSettled([producing, writing]);
  if (written.status === 'rejected') throw written.reason;
  if (produced.status === 'rejected') throw produced.reason;
  return written.value;
}
