import { MEMBER } from '../../archive/members.ts';
import type { ArchiveWriter } from '../../archive/types.ts';
import type { MemberChoice } from '../export-members.ts';
import { isAnotherWorthIt } from '../plan/migrate/rounds.ts';
import { type FileRounds, openFileRounds } from './file-rounds.ts';
import { sendRound, vouchFor, writerOf } from './send-round.ts';
import type { Departure } from './types.ts';

/** How the files of a container go: all of them in the freeze, or most of them before it. */
export interface FilesOnTheirWay {
  /** Before the freeze. */
  readonly rounds: number;
  /** What is to be written of the frozen container ({@link writeFrozenMembers}). */
  readonly choice: MemberChoice;
  /** After that: what has changed since the last round. `writer`: of the archive. */
  readonly sendRest: (writer: ArchiveWriter) => Promise<void>;
}

const IN_THE_FREEZE: FilesOnTheirWay = {
  rounds: 0,
  choice: { ignoreRootfs: false, ignoreVolumes: false, withImage: false },
  sendRest: async () => undefined,
};

/** The same of files that went in so many rounds. */
export const filesAfter = (departure: Departure, files: FileRounds, rounds: number): FilesOnTheirWay => ({
  rounds,
  choice: { ignoreRootfs: true, ignoreVolumes: true, withImage: false },
  sendRest: async (writer) => {
    const differences = writerOf(departure, 'send');
    const { deleted } = await files.send(differences, { live: false });
    await vouchFor(differences);
    if (deleted.length > 0) await writer.addContent(MEMBER.deleted, JSON.stringify(deleted));
  },
});

/**
 * Sends the files of a running container where they are worth a round of their own, and once more what has changed in the
 * meantime where that is much, but far less. Errors: those of a round.
 */
export async function sendFilesEarly(departure: Departure): Promise<FilesOnTheirWay> {
  if (!departure.inRounds) return IN_THE_FREEZE;
  const files = openFileRounds(departure.ctx, departure.container);
  const send = (number: number): Promise<unknown> =>
    sendRound(departure, number, async (writer) => {
      await files.send(writer, { live: true });
    });
  await send(1);
  const first = { files: departure.bytes.files, linkRate: departure.linkRate };
  if (!isAnotherWorthIt(first, await files.changedBytes())) return filesAfter(departure, files, 1);
  await send(2);
  return filesAfter(departure, files, 2);
}
