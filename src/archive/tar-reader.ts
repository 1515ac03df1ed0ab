import { fail } from '../model/errors.ts';
import type { ByteSource } from './decompressor.ts';
import {
  isZeroBlock,
  MAX_EXTENSION,
  type PaxValues,
  parseHeader,
  parseLongName,
  parsePax,
  type TarHeader,
} from './reader-header.ts';
import { TAR_BLOCK } from './tar-header.ts';
import type { MemberEntry, MemberSource } from './types.ts';

/** One member of a tar archive, whose header claims its size. */
export interface TarEntry extends MemberEntry {
  readonly size: number;
}

/**
 * Reads a tar archive as podman, GNU tar and cryopod write it (ustar, GNU, pax), in one pass. Regular files,
 * directories and symbolic links; anything else is refused. All fail with ARCHIVE_INVALID.
 */
export interface TarReader extends MemberSource {
  /** The next member; what is left of the content before it is read past. Undefined after the end marker. */
  readonly next: () => Promise<TarEntry | undefined>;
}

/** More than any blocking factor pads an archive with. */
const MAX_PADDING = 16 << 20;

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '2': 'link',
  '5': 'directory',
};
const REFUSED: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a FIFO',
  S: 'a sparse file',
};

const invalid = (message: string): never => fail('ARCHIVE_INVALID', { message });

/** A name from an archive as it may be shown: no control characters, not without end. */
export const quoteName = (name: string): string =>
  JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

export function tarReader(source: ByteSource): TarReader {
  const bytes = byteCursor(source);
  /** Bytes of the current member's content and of its padding that were not read yet. */
  let left = 0;
  let padding = 0;
  const content = async (): Promise<Buffer | undefined> => {
    if (left === 0) return undefined;
    const part = await bytes.some(left);
    left -= part.length;
    return part;
  };
  return {
    content,
    isChecked: source.isChecked,
    next: async () => {
      while ((await content()) !== undefined);
      while (padding > 0) padding -= (await bytes.some(padding)).length;
      const entry = await readEntry(bytes);
      if (entry === undefined) return undefined;
      left = entry.size;
      padding = paddingOf(entry.size);
      bytes.enter(entry.name);
      return entry;
    },
    drain: () => drain(bytes),
  };
}

const paddingOf = (size: number): number => (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;

/** Headers that extend the next one, then that one. Undefined at the end marker. */
async function readEntry(bytes: ByteCursor): Promise<TarEntry | undefined> {
  let longName: string | undefined;
  let pax: PaxValues | undefined;
  for (;;) {
    const block = await bytes.block();
    if (isZeroBlock(block)) {
      if (longName !== undefined || pax !== undefined) invalid('it ends after a header that names no member');
      return endMarker(bytes);
    }
    const header = parseHeader(block);
    if (header.type === 'L') {
      if (longName !== undefined) invalid('a member has two long names');
      longName = parseLongName(await extension(bytes, header));
    } else if (header.type === 'x') {
      if (pax !== undefined) invalid('a member has two pax headers');
      pax = parsePax(await extension(bytes, header));
    } else if (header.type === 'g') {
      // Of all members at once: Go's and GNU's readers differ, and no writer needs it.
      const { path, linkpath, size } = parsePax(await extension(bytes, header));
      if ((path ?? linkpath ?? size) !== undefined) invalid('one header names all members');
    } else {
      if (longName !== undefined && pax?.path !== undefined) invalid('a member has two long names');
      return entryOf(header, { ...(longName === undefined ? {} : { path: longName }), ...pax });
    }
  }
}

async function endMarker(bytes: ByteCursor): Promise<undefined> {
  const second = await bytes.blockOrEnd();
  if (second !== undefined && !isZeroBlock(second)) invalid('data follows the mark of its end');
}

async function extension(bytes: ByteCursor, { size }: TarHeader): Promise<Buffer> {
  if (size > MAX_EXTENSION) invalid(`a header that extends another claims ${size} bytes`);
  const parts: Buffer[] = [];
  for (let left = size + paddingOf(size); left > 0; ) {
    const part = Buffer.from(await bytes.some(left));
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts).subarray(0, size);
}

function entryOf(header: TarHeader, values: PaxValues): TarEntry {
  const name = values.path ?? header.name;
  const kind = KINDS[header.type];
  if (kind === undefined) {
    const type = REFUSED[header.type] ?? `of the unknown type ${JSON.stringify(header.type)}`;
    return invalid(`its member ${quoteName(name)} is ${type}`);
  }
  const size = values.size ?? header.size;
  if (kind !== 'file' && size !== 0) invalid(`its member ${quoteName(name)} is a ${kind} with content`);
  return { kind, name, size, target: values.linkpath ?? header.target };
}

async function drain(bytes: ByteCursor): Promise<void> {
  const zeros = Buffer.alloc(TAR_BLOCK);
  for (let total = 0; ; ) {
    const part = await bytes.rest(TAR_BLOCK);
    if (part === undefined) return;
    total += part.length;
    if (!part.equals(zeros.subarray(0, part.length))) invalid('data follows the mark of its end');
    if (total > MAX_PADDING) invalid('it goes on without end after the mark of its end');
  }
}

interface ByteCursor {
  /** One block, valid until the next call. */
  readonly block: () => Promise<Buffer>;
  /** The same, or undefined where the bytes end before it. */
  readonly blockOrEnd: () => Promise<Buffer | undefined>;
  /** The next bytes, at least one and at most `limit`, valid until the next call. */
  readonly some: (limit: number) => Promise<Buffer>;
  /** The same, or undefined at the end. */
  readonly rest: (limit: number) => Promise<Buffer | undefined>;
  /** Tells for errors which member the next bytes are of. */
  readonly enter: (name: string) => void;
}

function byteCursor(source: ByteSource): ByteCursor {
  let part = Buffer.alloc(0) as Buffer;
  let position = 0;
  let member = '';
  const spare = Buffer.alloc(TAR_BLOCK);

  const rest = async (limit: number): Promise<Buffer | undefined> => {
    if (part.length === 0) {
      const next = await source.next();
      if (next === undefined) return undefined;
      part = next;
    }
    const taken = part.subarray(0, limit);
    part = part.subarray(taken.length);
    position += taken.length;
    return taken;
  };
  const some = async (limit: number): Promise<Buffer> => (await rest(limit)) ?? cutOff();
  const cutOff = (): never => {
    const where = member === '' ? 'before its first member' : `in ${quoteName(member)} or right after it`;
    return invalid(`it ends early: the archive was cut off after ${position} bytes, ${where}`);
  };
  const blockOrEnd = async (): Promise<Buffer | undefined> => {
    const first = await rest(TAR_BLOCK);
    if (first === undefined || first.length === TAR_BLOCK) return first;
    first.copy(spare);
    for (let filled = first.length; filled < TAR_BLOCK; ) {
      const more = await some(TAR_BLOCK - filled);
      more.copy(spare, filled);
      filled += more.length;
    }
    return spare;
  };
  return {
    rest,
    some,
    blockOrEnd,
    block: async () => (await blockOrEnd()) ?? cutOff(),
    enter: (name) => {
      member = name;
    },
  };
}
