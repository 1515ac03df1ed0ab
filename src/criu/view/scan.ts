import type { MemoryChunk } from './memory.ts';

/** Bytes in which a pattern is found whole; a longer match of a regular expression may be cut there. */
export const MAX_MATCH = 4096;
/** Characters of one string; a longer one is given in several pieces. */
const MAX_STRING = 4096;

/** Looks for a pattern in a piece of memory: prepares it once, then gives the first match from a place on. */
export interface Pattern {
  /** Bytes behind a match's beginning that must be there to find it whole. */
  readonly reach: number;
  readonly prepare: (
    bytes: Buffer,
  ) => (from: number) => { readonly at: number; readonly length: number } | undefined;
}

export interface Match {
  readonly address: bigint;
  readonly bytes: Buffer;
  /** What lies before and behind, as far as it is saved: at most the context asked for. */
  readonly before: Buffer;
  readonly after: Buffer;
}

/** The bytes themselves. The caller refuses an empty text and one longer than {@link MAX_MATCH}. */
export function literalPattern(text: Buffer): Pattern {
  return {
    reach: text.length,
    prepare: (bytes) => (from) => {
      const at = bytes.indexOf(text, from);
      return at < 0 ? undefined : { at, length: text.length };
    },
  };
}

/**
 * A regular expression over bytes: `.` is any byte but a line feed, a letter beyond ASCII stands for its bytes in UTF-8.
 * Throws SyntaxError for one that is wrong.
 */
export function regexPattern(source: string): Pattern {
  const regex = new RegExp(Buffer.from(source, 'utf8').toString('latin1'), 'g');
  return {
    reach: MAX_MATCH,
    prepare: (bytes) => {
      const text = bytes.toString('latin1');
      return (from) => {
        regex.lastIndex = from;
        const match = regex.exec(text);
        return match === null ? undefined : { at: match.index, length: match[0].length };
      };
    },
  };
}

/** A piece of memory with what lay before it, so that nothing is missed at the border of two pieces. */
interface Window {
  readonly address: bigint;
  readonly bytes: Buffer;
  /** Where looking goes on. */
  readonly from: number;
  /** Matches may begin before this; later ones are found in the next piece. */
  readonly limit: number;
}

/** All matches that do not overlap, in order. Holds a few MiB at most, however large the memory. */
export async function* searchChunks(
  chunks: AsyncIterable<MemoryChunk>,
  pattern: Pattern,
  context: number,
): AsyncGenerator<Match> {
  let rest: Window | undefined;
  for await (const chunk of chunks) {
    if (rest !== undefined && rest.address + BigInt(rest.bytes.length) !== chunk.address) {
      yield* matchesIn({ ...rest, limit: rest.bytes.length }, pattern, context);
      rest = undefined;
    }
    const bytes = rest === undefined ? chunk.bytes : Buffer.concat([rest.bytes, chunk.bytes]);
    const address = rest?.address ?? chunk.address;
    const limit = bytes.length - pattern.reach - context;
    if (limit <= (rest?.from ?? 0)) {
      rest = { address, bytes, from: rest?.from ?? 0, limit };
      continue;
    }
    const window: Window = { address, bytes, from: rest?.from ?? 0, limit };
    const next = yield* matchesIn(window, pattern, context);
    const keep = Math.max(limit - context, 0);
    rest = {
      address: address + BigInt(keep),
      bytes: bytes.subarray(keep),
      from: next - keep,
      limit: 0,
    };
  }
  if (rest !== undefined) yield* matchesIn({ ...rest, limit: rest.bytes.length }, pattern, context);
}

/** Gives the place from which the next piece is looked at. */
function* matchesIn(
  { address, bytes, from, limit }: Window,
  pattern: Pattern,
  context: number,
): Generator<Match, number> {
  const find = pattern.prepare(bytes);
  let at = from;
  while (at < limit) {
    const found = find(at);
    if (found === undefined || found.at >= limit) break;
    const end = found.at + found.length;
    if (found.length > 0) {
      const shown = Math.min(end, found.at + MAX_MATCH);
      yield {
        address: address + BigInt(found.at),
        bytes: Buffer.from(bytes.subarray(found.at, shown)),
        before: Buffer.from(bytes.subarray(Math.max(found.at - context, 0), found.at)),
        after: Buffer.from(bytes.subarray(shown, shown + context)),
      };
    }
    at = Math.max(end, found.at + 1);
  }
  return Math.max(at, limit);
}

export interface FoundString {
  readonly address: bigint;
  readonly text: string;
}

/** Printable ASCII and tabs, as strings(1) takes it. */
const isPrintable = (byte: number): boolean => (byte >= 0x20 && byte < 0x7f) || byte === 0x09;

/** Runs of at least `min` printable characters, in order, as strings(1) finds them. */
export async function* stringsInChunks(
  chunks: AsyncIterable<MemoryChunk>,
  min: number,
): AsyncGenerator<FoundString> {
  let open = { address: 0n, text: '' };
  for await (const { address, bytes } of chunks) {
    if (open.text !== '' && open.address + BigInt(open.text.length) !== address) {
      if (open.text.length >= min) yield open;
      open = { address, text: '' };
    }
    let begin = 0;
    for (let at = 0; at <= bytes.length; at += 1) {
      const ended = at === bytes.length || !isPrintable(bytes[at] ?? 0);
      const length = open.text.length + at - begin;
      if (!ended && length < MAX_STRING) continue;
      if (at > begin) {
        const first = open.text === '' ? address + BigInt(begin) : open.address;
        open = { address: first, text: open.text + bytes.toString('latin1', begin, at) };
      }
      begin = ended ? at + 1 : at;
      if (at === bytes.length) break;
      if (open.text.length >= min) yield open;
      open = { address, text: '' };
    }
  }
  if (open.text.length >= min) yield open;
}
