import { mkdir, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MEMBER_DIRECTORY, PARENT_LINK } from '../../archive/members.ts';
import type { MemberSource } from '../../archive/types.ts';
import { checkPageFiles } from '../../criu/delta/check-page-files.ts';
import { fail } from '../../model/errors.ts';
import { faultPoint } from '../../system/faults.ts';
import type { MessageOf } from '../../wire/messages.ts';
import { findingsOf } from '../import.ts';
import { type ImportedArchive, readArchive } from '../import-archive.ts';
import { refuseImport } from '../plan/preflight/import.ts';
import { memberSource } from './member-source.ts';
import { SOURCE_NAME } from './preflight.ts';
import { type TakenRounds, takenRounds } from './take-rounds.ts';
import type { Arrival, Arrived } from './types.ts';

/**
 * Takes in a container, checked as an archive is. Creates nothing but files in the arrival's directory. Errors: those of an
 * import, of the wire.
 */
export async function takeContainer(
  arrival: Arrival,
  { mode, rounds: inRounds }: Pick<MessageOf<'begin'>, 'mode' | 'rounds'>,
): Promise<Arrived> {
  const { wire, directory } = arrival;
  const place = join(directory, 'members');
  await mkdir(place, { mode: 0o700 });
  const members = memberSource(wire, 'the source');
  const lazy = mode === 'post-copy';
  if (!inRounds) return { archive: await readMembers(arrival, place, members), lazy };
  const rounds = takenRounds(place, async (number) => {
    faultPoint('rounds.kept');
    await wire.send({ type: 'kept', number });
  });
  const local = mode === 'pre-copy' ? 'local' : undefined;
  const archive = await readMembers(arrival, place, rounds.sift(members), local);
  if (local !== undefined) await joinRounds(place, archive, rounds);
  return { archive: { ...archive, rounds }, lazy };
}

const readMembers = (
  { ctx, request, choice }: Arrival,
  place: string,
  members: MemberSource,
  previous?: 'local',
): Promise<ImportedArchive> =>
  readArchive(ctx, place, {
    source: { name: SOURCE_NAME, members },
    previous,
    ignoreRootfs: false,
    ignoreVolumes: false,
    onMetadata: async (view) => {
      if (view.config.id !== request.id) {
        fail('ARCHIVE_INVALID', { message: 'another container came than was announced' });
      }
      refuseImport(await findingsOf(ctx, view, choice));
    },
  });

/** The images of the freeze build on the newest round of memory. */
async function joinRounds(place: string, archive: ImportedArchive, rounds: TakenRounds): Promise<void> {
  const [newest] = rounds.memory.toReversed();
  if (archive.buildsOn && newest !== undefined) {
    await rm(join(place, PARENT_LINK.name));
    await symlink(`../${basename(newest)}`, join(place, PARENT_LINK.name));
  }
  await checkPageFiles(join(place, MEMBER_DIRECTORY.images));
}
