import { createHash } from 'node:crypto';
import { fail } from '../model/errors.ts';
import { openCompressor } from './compressor.ts';
import { type Framing, framingOf } from './frames.ts';
import { TAR_END, type TarMember, tarHeader, tarPadding } from './tar-header.ts';
import type { ArchiveWriterOptions } from './types.ts';
import { failChanged, failInterrupted } from './writer-errors.ts';
import type { ArchiveOutput } from './writer-output.ts';
import { PIPE_BYTES, type Pumped, pump, readHead } from './writer-pump.ts';
import { zstdFrame } from './zstd-frame.ts';

/** Writes members as tar into frames. Names must be relative, plain and new (INTERNAL). */
export interface MemberSink {
  readonly addDirectory: (name: string) => Promise<void>;
  readonly addLink: (name: string, target: string) => Promise<void>;
  readonly addWhole: (name: string, content: Buffer) => Promise<Pumped>;
  /** What `fd` gives up to its end, of which the size is known. `path` is for the error if it is another. */
  readonly addSized: (name: string, size: number, fd: number, path: string) => Promise<Pumped>;
  /** What `fd` gives up to its end. */
  readonly addUnsized: (name: string, fd: number) => Promise<Pumped>;
  /** Ends the archive; gives its bytes, compressed. */
  readonly finish: () => Promise<number>;
}

/** Bytes of small members and headers that share one frame. */
const BATCH_BYTES = 1 << 20;

export function memberSink(output: ArchiveOutput, options: ArchiveWriterOptions): MemberSink {
  const framing = framingOf(options.compression);
  const modified = Math.floor(Date.now() / 1000);
  const checkName = nameCheck();
  const batch = openBatch(output, framing);
  const count = counter(options.progress);
  const header = (name: string, size: number, type: TarMember['type'] = 'file'): Buffer =>
    tarHeader({ name, type, size, modified });
  const addWhole = async (name: string, bytes: Buffer): Promise<Pumped> => {
    checkName(name);
    await batch.add(header(name, bytes.length), bytes, tarPadding(bytes.length));
    count(bytes.length);
    return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const content = contentWriter(output, framing, options.signal, count);
  return {
    addDirectory: async (name) => {
      checkName(name);
      await batch.add(header(name, 0, 'directory'));
    },
    addLink: async (name, target) => {
      checkName(name);
      await batch.add(tarHeader({ name, target, type: 'link', size: 0, modified }));
    },
    addWhole,
    addSized: async (name, size, fd, path) => {
      checkName(name);
      await batch.add(header(name, size));
      await batch.flush();
      const pumped = await content(fd, Buffer.alloc(0));
      if (pumped.size !== size) failChanged(path);
      await batch.add(tarPadding(size));
      return pumped;
    },
    addUnsized: async (name, fd) => {
      const head = await readHead(fd);
      if (head.isAll) return await addWhole(name, head.bytes);
      checkName(name);
      await batch.flush();
      const patch = await output.reserve(framing.stored(header(name, 0)));
      const pumped = await content(fd, head.bytes);
      await patch(framing.stored(header(name, pumped.size)));
      await output.passOn();
      await batch.add(tarPadding(pumped.size));
      return pumped;
    },
    finish: async () => {
      await batch.add(TAR_END);
      await batch.flush();
      return output.finish();
    },
  };
}

/** Writes the rest of `fd` after what was read of it. */
type ContentWriter = (fd: number, head: Buffer) => Promise<Pumped>;

/** Compressed content is a frame of its own, made by a program to which the bytes are moved; other content is hashed. */
function contentWriter(
  output: ArchiveOutput,
  { command, tellsSize, packed }: Framing,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
): ContentWriter {
  const check = (): void => {
    if (signal?.aborted === true) failInterrupted(output.place());
  };
  if (command === undefined) {
    return async (fd, head) => {
      const put = async (bytes: Buffer): Promise<void> => {
        check();
        await output.append(bytes);
        count(bytes.length);
      };
      const pumped = await pump(fd, put, head);
      check();
      return pumped;
    };
  }
  if (tellsSize === true) {
    return async (fd, head) => {
      if (head.length > 0) await output.append(await packed(head));
      let seen = 0;
      const note = (bytes: number): void => {
        if (bytes > seen) count(bytes - seen);
        seen = Math.max(seen, bytes);
      };
      const progress = (bytes: number): void => note(head.length + bytes);
      const rest = await zstdFrame(output, fd, { command, signal, progress });
      progress(rest);
      return { size: head.length + rest };
    };
  }
  return async (fd, head) => {
    const compressor = await openCompressor(output, command, signal);
    let size = 0;
    const note = (bytes: number): number => {
      size += bytes;
      count(bytes);
      return bytes;
    };
    try {
      await compressor.put(head);
      note(head.length);
      while (note(await compressor.move(fd, PIPE_BYTES)) > 0);
    } catch (error) {
      await compressor.end().catch(() => undefined);
      throw error;
    }
    await compressor.end();
    return { size };
  };
}

interface Batch {
  readonly add: (...parts: readonly Buffer[]) => Promise<void>;
  readonly flush: () => Promise<void>;
}

/** Uncompressed bytes that wait for company. */
function openBatch(output: ArchiveOutput, framing: Framing): Batch {
  let parts: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (bytes === 0) return;
    const whole = Buffer.concat(parts);
    parts = [];
    bytes = 0;
    await output.append(await framing.packed(whole));
  };
  return {
    add: async (...more) => {
      for (const part of more) {
        parts.push(part);
        bytes += part.length;
      }
      if (bytes >= BATCH_BYTES) await flush();
    },
    flush,
  };
}

/** Names come from cryopod itself: a bad one is a defect. */
function nameCheck(): (name: string) => void {
  const seen = new Set<string>();
  return (name) => {
    const isPlain = name.split('/').every((part) => !['', '.', '..'].includes(part)) && !name.includes('\0');
    if (!isPlain || seen.has(name)) {
      fail('INTERNAL', {
        message: `an archive's member got the name ${JSON.stringify(name)}${isPlain ? ' twice' : ''}`,
      });
    }
    seen.add(name);
  };
}

function counter(progress: ((bytes: number) => void) | undefined): (bytes: number) => void {
  let total = 0;
  return (bytes) => {
    total += bytes;
    progress?.(total);
  };
}
