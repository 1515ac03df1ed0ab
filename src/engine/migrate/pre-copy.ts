import { mkdir, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY, PARENT_LINK } from '../../archive/members.ts';
import type { ArchiveWriter } from '../../archive/types.ts';
import { checkPageFiles } from '../../criu/delta/check-page-files.ts';
import type { StreamedDelta } from '../../criu/delta/stream-delta.ts';
import { fail } from '../../model/errors.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { monotonicMicroseconds } from '../../system/clock.ts';
import { tempBeside } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { logInfo } from '../../system/log.ts';
import { freeBytes } from '../../system/space.ts';
import { bundleDirectory, checkpointDirectory } from '../../system/store-paths.ts';
import { dumpPages } from '../dump.ts';
import { openComparison, writeImages } from '../export-images.ts';
import { writeFrozenMembers, writeKnownMembers } from '../export-members.ts';
import { findingsOf } from '../import.ts';
import { readArchive } from '../import-archive.ts';
import { judgeRounds, REST_GOAL, type RoundFigures } from '../plan/migrate/rounds.ts';
import { refuseImport } from '../plan/preflight/import.ts';
import { type Previous, tracksChanges } from '../previous.ts';
import { type FileRounds, openFileRounds } from './file-rounds.ts';
import { handOver } from './hand-over.ts';
import { memberSource } from './member-source.ts';
import { memberWriter } from './member-writer.ts';
import { type MemoryRounds, openMemoryRounds } from './memory-rounds.ts';
import { expectMessage, heardOut } from './peer.ts';
import { SOURCE_NAME } from './preflight.ts';
import { ROUND_END } from './round-members.ts';
import { takenRounds } from './take-rounds.ts';
import type { Arrival, Arrived, Departure, MoveFigures } from './types.ts';

/** A restore opens every one of them for each process. */
const MAX_ROUNDS = 15;

/** Sends memory and files in rounds while the container runs, and what is left while it is frozen. */
export async function departPreCopy(departure: Departure): Promise<MoveFigures> {
  const { ctx, container } = departure;
  const why = await whyNotInRounds(departure);
  if (why !== undefined) {
    fail('NO_SPACE', {
      message: `cannot migrate ${container.config.name} with --mode pre-copy: ${why}`,
      hint: 'Free some space, or use --mode cold or post-copy.',
    });
  }
  const writer = writerOf(departure, 'send');
  await heardOut(departure.wire, departure.to, () =>
    writeKnownMembers(ctx, container, { withImage: false }, writer),
  );
  return await inRounds(departure, async (rounds, onFrozen) => {
    const files = openFileRounds(ctx, container);
    const memory = await openMemoryRounds(ctx, container, { ...departure.options, directory: rounds });
    const number = await sendRounds(departure, memory, files);
    const previous = memory.last();
    const comparison = await openComparison(ctx, container, previous, join(rounds, 'delta'));
    const rest = { writer, previous, comparison, files, onFrozen };
    const downtime = await sendRest(departure, rest).finally(() => comparison?.discard());
    return { downtime, rounds: number };
  });
}

/** Why rounds cannot be kept here; undefined where they can. */
export async function whyNotInRounds({
  ctx,
  container: { config },
  bytes,
}: Pick<Departure, 'ctx' | 'container' | 'bytes'>): Promise<string | undefined> {
  if (await tracksChanges(ctx)) return undefined;
  const directory = bundleDirectory(ctx.store, config.id);
  const free = await freeBytes(directory);
  if (free >= bytes.memory) return undefined;
  return `the kernel does not tell what changes, so that its memory of ${bytes.memory} bytes must be kept here to be compared with, and ${directory} has ${free} free`;
}

/** Gives `work` a directory for rounds, which is gone afterwards, and what it is to call as soon as the container is frozen. */
async function inRounds<T>(
  { ctx, container }: Departure,
  work: (directory: string, onFrozen: () => void) => Promise<T>,
): Promise<T> {
  const { id } = container.config;
  const directory = tempBeside(`${checkpointDirectory(ctx.store, id)}-rounds`);
  const entry = beginOperation(ctx.db, 'rounds', id, { directory: basename(directory) });
  let isOpen = true;
  // From the freeze on the entry of the hand-over tells what is to be repaired.
  const close = (): void => {
    if (isOpen) endOperation(ctx.db, entry);
    isOpen = false;
  };
  try {
    faultPoint('rounds.journalled');
    await mkdir(directory, { mode: 0o700 });
    return await work(directory, close);
  } finally {
    await rm(directory, { recursive: true, force: true });
    close();
  }
}

/** Rounds while the container runs; gives how many. */
async function sendRounds(departure: Departure, memory: MemoryRounds, files: FileRounds): Promise<number> {
  const { ctx, container, wire, to, options } = departure;
  const done: RoundFigures[] = [];
  const rules = { maxRounds: Math.min(options.maxRounds, MAX_ROUNDS), goal: REST_GOAL };
  for (;;) {
    ctx.signal.throwIfAborted();
    const number = done.length + 1;
    const begun = monotonicMicroseconds();
    const before = wire.sentBytes();
    await heardOut(wire, to, async () => {
      // What is sent in rounds is no part of what the archive's sums vouch for.
      const writer = writerOf(departure, `round ${number}`);
      await memory.send(writer);
      await files.send(writer, { live: true });
      await writer.addDirectory(ROUND_END);
      await expectMessage(wire, to, 'kept');
    });
    ctx.progress({ phase: `round ${number}`, subject: container.config.name, done: true });
    done.push({ bytes: wire.sentBytes() - before, duration: monotonicMicroseconds() - begun });
    const { verdict, rest } = judgeRounds(done, rules);
    logInfo(
      `round ${number} brought ${done.at(-1)?.bytes} bytes; ${ENDS[verdict]}: about ${rest} bytes are left`,
    );
    faultPoint('rounds.sent');
    if (verdict !== 'again') return number;
  }
}

const ENDS = {
  again: 'another one is worth its time',
  small: 'the rest is small',
  stuck: 'another one would not be smaller',
  limit: 'there are to be no more',
} as const;

const writerOf = ({ ctx, wire, packing, container }: Departure, phase: string) =>
  memberWriter(wire, {
    packing,
    progress: (bytes) => ctx.progress({ phase, subject: container.config.name, bytes }),
  });

interface Rest {
  readonly writer: ArchiveWriter;
  /** The last round of memory. */
  readonly previous: Previous | undefined;
  readonly comparison: StreamedDelta | undefined;
  readonly files: FileRounds;
  /** Called as soon as the container is frozen. */
  readonly onFrozen: () => void;
}

/** What has changed since the last round, of the frozen container. Gives the downtime in microseconds. */
async function sendRest(
  departure: Departure,
  { writer, previous, comparison, files, onFrozen }: Rest,
): Promise<number> {
  const { ctx, container, options } = departure;
  const differences = writerOf(departure, 'send');
  return await handOver(departure, async ({ images, makeLinks }) => {
    onFrozen();
    const dump = async (): Promise<number> => {
      const duration = await dumpPages(ctx, container, images, { ...options, previous });
      await makeLinks();
      return duration;
    };
    await writeFrozenMembers(
      ctx,
      container,
      { ignoreRootfs: true, ignoreVolumes: true, withImage: false },
      { writer, writeImages: () => writeImages({ previous }, { writer, images, dump, comparison }) },
    );
    const { deleted } = await files.send(differences, { live: false });
    if (deleted.length > 0) await writer.addContent(MEMBER.deleted, JSON.stringify(deleted));
    await writer.finish();
  });
}

/** Takes in rounds, and then what is left: checked as an archive is, but for files, which are here already. */
export async function receivePreCopy({ ctx, wire, request, directory, choice }: Arrival): Promise<Arrived> {
  const place = join(directory, 'members');
  await mkdir(place, { mode: 0o700 });
  const rounds = takenRounds(place, async (number) => {
    faultPoint('rounds.kept');
    await wire.send({ type: 'kept', number });
  });
  const archive = await readArchive(ctx, place, {
    source: { name: SOURCE_NAME, members: rounds.sift(memberSource(wire, 'the source')) },
    previous: 'local',
    ignoreRootfs: false,
    ignoreVolumes: false,
    onMetadata: async (view) => {
      if (view.config.id !== request.id) {
        fail('ARCHIVE_INVALID', { message: 'another container came than was announced' });
      }
      refuseImport(await findingsOf(ctx, view, choice));
    },
  });
  const [newest] = rounds.memory.toReversed();
  if (archive.buildsOn && newest !== undefined) {
    await rm(join(place, PARENT_LINK.name));
    await symlink(`../${basename(newest)}`, join(place, PARENT_LINK.name));
  }
  await checkPageFiles(join(place, MEMBER_DIRECTORY.images));
  return { archive: { ...archive, rounds }, lazy: false };
}
