import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ArchiveWriter } from '../../archive/types.ts';
import type { StreamedDelta } from '../../criu/delta/stream-delta.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { tempBeside } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { logInfo } from '../../system/log.ts';
import { freeBytes } from '../../system/space.ts';
import { bundleDirectory, checkpointDirectory } from '../../system/store-paths.ts';
import { dumpPages } from '../dump.ts';
import { openComparison, writeImages } from '../export-images.ts';
import { writeFrozenMembers, writeKnownMembers } from '../export-members.ts';
import { judgeRounds, REST_GOAL, type RoundFigures } from '../plan/migrate/rounds.ts';
import { type Previous, tracksChanges } from '../previous.ts';
import { type FilesOnTheirWay, filesAfter } from './early-files.ts';
import { type FileRounds, openFileRounds } from './file-rounds.ts';
import { handOver } from './hand-over.ts';
import { type MemoryRounds, openMemoryRounds } from './memory-rounds.ts';
import { heardOut } from './peer.ts';
import { sendRound, writerOf } from './send-round.ts';
import type { Departure, MoveFigures } from './types.ts';

/** A restore opens every one of them for each process. */
const MAX_ROUNDS = 15;

/** Sends memory and files in rounds while the container runs, and what is left while it is frozen. */
export async function departPreCopy(departure: Departure): Promise<MoveFigures> {
  const { ctx, container } = departure;
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
    const rest = { writer, previous, comparison, files: filesAfter(departure, files, number), onFrozen };
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
  const { options } = departure;
  const done: RoundFigures[] = [];
  const rules = { maxRounds: Math.min(options.maxRounds, MAX_ROUNDS), goal: REST_GOAL };
  for (;;) {
    const send = async (writer: ArchiveWriter): Promise<void> => {
      await memory.send(writer);
      await files.send(writer, { live: true });
    };
    done.push(await sendRound(departure, done.length + 1, send));
    const { verdict, rest } = judgeRounds(done, rules);
    logInfo(`${ENDS[verdict]}: about ${rest} bytes are left`);
    if (verdict !== 'again') return done.length;
  }
}

const ENDS = {
  again: 'another one is worth its time',
  small: 'the rest is small',
  stuck: 'another one would not be smaller',
  limit: 'there are to be no more',
} as const;

interface Rest {
  readonly writer: ArchiveWriter;
  /** The last round of memory. */
  readonly previous: Previous | undefined;
  readonly comparison: StreamedDelta | undefined;
  readonly files: FilesOnTheirWay;
  /** Called as soon as the container is frozen. */
  readonly onFrozen: () => void;
}

/** What has changed since the last round, of the frozen container. Gives the downtime in microseconds. */
async function sendRest(
  departure: Departure,
  { writer, previous, comparison, files, onFrozen }: Rest,
): Promise<number> {
  const { ctx, container, options } = departure;
  return await handOver(departure, async ({ images, makeLinks }) => {
    onFrozen();
    const dump = async (): Promise<number> => {
      const duration = await dumpPages(ctx, container, images, { ...options, previous, restoredHeld: true });
      await makeLinks();
      return duration;
    };
    await writeFrozenMembers(ctx, container, files.choice, {
      writer,
      writeImages: () => writeImages({ previous }, { writer, images, dump, comparison }),
    });
    await files.sendRest(writer);
    await writer.finish();
  });
}
