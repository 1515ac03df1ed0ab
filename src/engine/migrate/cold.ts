import { dumpPages } from '../dump.ts';
import { writeImages } from '../export-images.ts';
import { writeFrozenMembers, writeKnownMembers } from '../export-members.ts';
import { sendFilesEarly } from './early-files.ts';
import { handOver } from './hand-over.ts';
import { memberWriter } from './member-writer.ts';
import type { Departure, MoveFigures } from './types.ts';

/** Freezes a container and sends all of it but most of its files in one pass: its memory is never on a disk here. */
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
  const files = await sendFilesEarly(departure);
  const downtime = await handOver(departure, async ({ images, makeLinks }) => {
    const dump = async (): Promise<number> => {
      const duration = await dumpPages(ctx, container, images, { ...options, restoredHeld: true });
      await makeLinks();
      return duration;
    };
    await writeFrozenMembers(ctx, container, files.choice, {
      writer,
      writeImages: () => writeImages({ previous: undefined }, { writer, images, dump }),
    });
    await files.sendRest(writer);
    await writer.finish();
  });
  return { downtime, rounds: files.rounds };
}
