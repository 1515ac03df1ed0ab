import type { FileHandle } from 'node:fs/promises';
import { open, stat } from 'node:fs/promises';
import { errnoOf } from '../model/errors.ts';
import { sleep } from '../system/clock.ts';
import type { LogLine, LogQuery } from './types.ts';

const CHUNK_BYTES = 64 * 1024;
/** How often a followed file is looked at. */
const POLL_MS = 50;
const NEWLINE = 0x0a;

/** One line of conmon's file: TIME STREAM TAG CONTENT; the tag P means that the line goes on in the next one. */
interface RawLine {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly content: string;
}

/** Reads one line of the k8s-file format (ctr_logging.c of conmon, write_k8s_log); undefined for what is none. */
export function parseLogLine(line: string): RawLine | undefined {
  const [, time = '', stream, tag, content = ''] = /^(\S+) (stdout|stderr) ([FP]) (.*)$/s.exec(line) ?? [];
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return { time, stream, partial: tag === 'P', content };
}

/**
 * The lines of a container's log, oldest first; pieces of a line are joined. Large files are streamed, and `tail` is
 * found from the end. With `follow` it goes on until `ended` says so or `signal` aborts; a log that conmon starts anew
 * at its size limit is followed too. A missing file is an empty log.
 */
export async function* readLogs(path: string, query: LogQuery): AsyncGenerator<LogLine> {
  const wanted = withinTime(query);
  const joiner = joinParts();
  for await (const line of rawLines(path, query)) {
    const raw = parseLogLine(line);
    if (raw === undefined) continue;
    for (const whole of joiner.add(raw)) if (wanted(whole)) yield whole;
  }
  for (const rest of joiner.rest()) if (wanted(rest)) yield rest;
}

function withinTime({ since, until }: LogQuery): (line: LogLine) => boolean {
  if (since === undefined && until === undefined) return () => true;
  return (line) => {
    const time = Date.parse(line.time);
    return time >= (since ?? Number.NEGATIVE_INFINITY) && time <= (until ?? Number.POSITIVE_INFINITY);
  };
}

/** stdout and stderr may have an unfinished line each. */
function joinParts(): { readonly add: (raw: RawLine) => LogLine[]; readonly rest: () => LogLine[] } {
  const open = new Map<RawLine['stream'], LogLine>();
  return {
    add: (raw) => {
      const begun = open.get(raw.stream);
      const text = (begun?.text ?? '') + raw.content;
      const line = { time: begun?.time ?? raw.time, stream: raw.stream };
      if (raw.partial) {
        open.set(raw.stream, { ...line, text });
        return [];
      }
      open.delete(raw.stream);
      return [{ ...line, text: `${text}\n` }];
    },
    rest: () => [...open.values()],
  };
}

/** The file's lines without their line breaks. */
async function* rawLines(path: string, query: LogQuery): AsyncGenerator<string> {
  const file = await openLog(path, query);
  if (file === undefined) return;
  let current = file;
  try {
    let position = query.tail === undefined ? 0 : await tailPosition(current, query.tail);
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      // Asked before reading: what was written until then is read below.
      const last = query.signal?.aborted === true || !query.follow || ((await query.ended?.()) ?? false);
      for await (const chunk of chunks(current, position)) {
        position += chunk.length;
        const { lines, left } = splitLines(Buffer.concat([rest, chunk]));
        rest = left;
        yield* lines;
      }
      const replaced = await replacement(path, current);
      if (replaced !== undefined) {
        await current.close();
        current = replaced;
        position = 0;
        continue;
      }
      if (last) return;
      await sleep(POLL_MS);
    }
  } finally {
    await current.close();
  }
}

/** Waits for the file with `follow`, since a container that was just created has none yet. */
async function openLog(path: string, query: LogQuery): Promise<FileHandle | undefined> {
  for (;;) {
    const last = query.signal?.aborted === true || !query.follow || ((await query.ended?.()) ?? false);
    try {
      return await open(path, 'r');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    if (last) return undefined;
    await sleep(POLL_MS);
  }
}

/** The new file when conmon has put another under this name. */
async function replacement(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  try {
    const [mine, theirs] = await Promise.all([file.stat(), stat(path)]);
    return mine.ino === theirs.ino ? undefined : await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function* chunks(file: FileHandle, from: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let position = from; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function splitLines(data: Buffer): { readonly lines: string[]; readonly left: Buffer } {
  const end = data.lastIndexOf(NEWLINE);
  // A copy, so that the chunk's buffer can be used again.
  if (end === -1) return { lines: [], left: Buffer.from(data) };
  const lines = data.toString('utf8', 0, end).split('\n');
  return { lines, left: Buffer.from(data.subarray(end + 1)) };
}

/** More than `TIME STREAM TAG ` ever takes (conmon's TSBUFLEN is 44). */
const HEADER_BYTES = 64;

/** Where the last `count` whole lines begin: the file is read backwards, chunk by chunk. */
async function tailPosition(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count <= 0) return size;
  const buffer = Buffer.alloc(CHUNK_BYTES + HEADER_BYTES);
  let found = 0;
  // Start of the line behind the one that is looked at.
  let next = size;
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start + HEADER_BYTES, start);
    for (const at of lineStarts(buffer.subarray(0, bytesRead), end - start, start === 0)) {
      if (start + at >= size) continue;
      // A piece belongs to the line behind it; at the end of the file it is a line that was never finished.
      if (next === size || !isPiece(buffer.subarray(at, at + HEADER_BYTES))) found += 1;
      if (found > count) return next;
      next = start + at;
    }
  }
  return 0;
}

/** Offsets of lines that begin in data[0, length], last first; `whole` when the data begin with a line. */
function* lineStarts(data: Buffer, length: number, whole: boolean): Generator<number> {
  for (let at = length - 1; at >= 0; at -= 1) if (data[at] === NEWLINE) yield at + 1;
  if (whole) yield 0;
}

const isPiece = (header: Buffer): boolean => /^\S+ \S+ P /.test(header.toString('latin1'));
