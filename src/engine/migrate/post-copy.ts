import { messageOf } from '../../model/errors.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import { hostFacts } from '../../runtime/spec/host.ts';
import { logInfo, logWarning } from '../../system/log.ts';
import { hostPageBytes } from '../../system/page-size.ts';
import { CAP_SYS_RESOURCE, hasCapability } from '../../system/procfs.ts';
import { givePages } from '../../wire/pages.ts';
import { dumpPages } from '../dump.ts';
import { writeImages } from '../export-images.ts';
import { writeFrozenMembers, writeKnownMembers } from '../export-members.ts';
import { CHANNEL } from './channels.ts';
import { sendFilesEarly } from './early-files.ts';
import { openFrozenMemory, sendPages } from './frozen-memory.ts';
import { handOver } from './hand-over.ts';
import { memberWriter } from './member-writer.ts';
import { expectMessage } from './peer.ts';
import type { Departure, MoveFigures } from './types.ts';
import { restoreCommand } from './words.ts';

/**
 * Freezes a container, sends all of it but the memory, lets it run at the target, and gives the target the pages of the frozen
 * processes until it has them all. Errors: those of a round, of a hand-over.
 */
export async function departPostCopy(departure: Departure): Promise<MoveFigures> {
  const { ctx, container, options, packing, wire, to } = departure;
  const { name } = container.config;
  logWarning(
    `${name} will run at ${to} before its memory is there. Should the link break until then, it is stopped there and what it did there is lost; here it stays as it was when it was frozen, and goes on with: ${restoreCommand(container, options)}`,
  );
  const writer = memberWriter(wire, { packing });
  await writeKnownMembers(ctx, container, { withImage: false }, writer);
  const files = await sendFilesEarly(departure);
  let pages: Sending | undefined;
  try {
    const downtime = await handOver(
      departure,
      async ({ images, makeLinks }) => {
        const dump = async (): Promise<number> => {
          const duration = await dumpPages(ctx, container, images, {
            ...options,
            lazy: true,
            restoredHeld: true,
          });
          await makeLinks();
          return duration;
        };
        await writeFrozenMembers(ctx, container, files.choice, {
          writer,
          writeImages: () => writeImages({ previous: undefined }, { writer, images, dump }),
        });
        await files.sendRest(writer);
        // The target asks as soon as it restores, before its processes run.
        pages = beginSending(departure);
        await writer.finish();
      },
      {
        untilComplete: async () => {
          await Promise.all([pages?.sent, expectMessage(wire, to, 'complete')]);
        },
      },
    );
    return { downtime, rounds: files.rounds };
  } finally {
    pages?.close();
  }
}

interface Sending {
  /** Settles when the target asks for no more. */
  readonly sent: Promise<void>;
  readonly close: () => void;
}

function beginSending({ ctx, container, wire, bytes }: Departure): Sending {
  const memory = openFrozenMemory(container.state.pid, hostPageBytes());
  let sentBytes = 0;
  const tell = (more: number): void => {
    sentBytes += more;
    ctx.progress({
      phase: 'memory',
      subject: container.config.name,
      bytes: sentBytes,
      totalBytes: Math.max(sentBytes, bytes.memory),
    });
  };
  const sent = sendPages(givePages(wire.channel(CHANNEL.pages)), memory, tell);
  // The target must not wait for what will not come.
  sent.catch((error: unknown) => {
    logInfo(`no more pages are given: ${messageOf(error)}`);
    wire.close();
  });
  return { sent, close: memory.close };
}

/** Descriptors that CRIU needs for a MiB of memory, with pipes as large as it may have them everywhere (decision 0036). */
const FILES_PER_MIB = 2;
/** And for all else. */
const OTHER_FILES = 500;

/** Why a container cannot move before its memory; undefined where it can. */
export function whyNotLazily({
  ctx,
  container,
  target,
  to,
  bytes,
}: Pick<Departure, 'ctx' | 'container' | 'target' | 'to' | 'bytes'>): string | undefined {
  const { runtime, cgroupManager } = container.config;
  if (!target.lazy) return `${to} cannot restore while memory is missing; cryopod doctor tells why there`;
  if (!openRuntime(ctx.store, runtime, { cgroupManager }).lazyPages) {
    return `its runtime ${runtime} cannot leave memory behind`;
  }
  const files = Math.ceil(bytes.memory / (1 << 20)) * FILES_PER_MIB + OTHER_FILES;
  const { nofile: limit = Number.POSITIVE_INFINITY } = hostFacts().hardLimits;
  if (files <= limit || hasCapability(CAP_SYS_RESOURCE)) return undefined;
  return `CRIU needs ${files} open files for its memory, and this host allows ${limit}`;
}
