import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../model/errors.ts';
import { dumpPages } from '../dump.ts';
import { writeImages } from '../export-images.ts';
import { writeFrozenMembers, writeKnownMembers } from '../export-members.ts';
import { findingsOf } from '../import.ts';
import { readArchive } from '../import-archive.ts';
import { refuseImport } from '../plan/preflight/import.ts';
import { handOver } from './hand-over.ts';
import { memberSource } from './member-source.ts';
import { memberWriter } from './member-writer.ts';
import { SOURCE_NAME } from './preflight.ts';
import type { Arrival, Arrived, Departure, MoveFigures } from './types.ts';

const WHOLE = { ignoreRootfs: false, ignoreVolumes: false } as const;

/** Freezes a container and sends all of it in one pass: its memory is never on a disk here. */
export async function departCold(departure: Departure): Promise<MoveFigures> {
  const { ctx, container, options, packing, wire, bytes: total } = departure;
  const writer = memberWriter(wire, {
    packing,
    progress: (bytes) =>
      ctx.progress({
        phase: 'send',
        subject: container.config.name,
        bytes,
        totalBytes: Math.max(bytes, total.memory + total.files),
      }),
  });
  await writeKnownMembers(ctx, container, { withImage: false }, writer);
  const downtime = await handOver(departure, async ({ images, makeLinks }) => {
    const dump = async (): Promise<number> => {
      const duration = await dumpPages(ctx, container, images, options);
      await makeLinks();
      return duration;
    };
    await writeFrozenMembers(
      ctx,
      container,
      { ...WHOLE, withImage: false },
      {
        writer,
        writeImages: () => writeImages({ previous: undefined }, { writer, images, dump }),
      },
    );
    await writer.finish();
  });
  return { downtime, rounds: 0 };
}

/** Takes in a whole container, checked as an archive is. */
export async function receiveCold({ ctx, wire, request, directory, choice }: Arrival): Promise<Arrived> {
  const place = join(directory, 'members');
  await mkdir(place, { mode: 0o700 });
  const archive = await readArchive(ctx, place, {
    source: { name: SOURCE_NAME, members: memberSource(wire, 'the source') },
    ...WHOLE,
    onMetadata: async (view) => {
      if (view.config.id !== request.id) {
        fail('ARCHIVE_INVALID', { message: 'another container came than was announced' });
      }
      refuseImport(await findingsOf(ctx, view, choice));
    },
  });
  return { archive, lazy: false };
}
