import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { fail } from '../../model/errors.ts';

/** Pages that came one after another: with content of their own, or with that which the parent has at `from`. */
export interface RecordedRun {
  readonly pages: number;
  /** Number of the first page in the parent; undefined where the content is the record's own. */
  readonly from: number | undefined;
}

/**
 * A stream of pages as it came, before it is known at which addresses they belong. Content that the parent does not have goes
 * into a file.
 */
export interface PageRecord {
  readonly addOwn: (content: Buffer) => void;
  readonly addSame: (pages: number, from: number) => void;
  /** Pages so far. */
  readonly count: () => number;
  readonly runs: () => readonly RecordedRun[];
  /** Own content, in its order from the beginning; at most `bytes.length` of it. */
  readonly readOwn: (bytes: Buffer) => void;
  readonly close: () => void;
}

/** `path`: a file to make. */
export function openRecord(path: string, pageBytes: number): PageRecord {
  const fd = openSync(path, 'wx+', 0o600);
  const runs: { pages: number; from: number | undefined }[] = [];
  let count = 0;
  let read = 0;
  const add = (pages: number, from: number | undefined): void => {
    const last = runs.at(-1);
    count += pages;
    const follows = from === undefined ? undefined : from - (last?.pages ?? 0);
    if (last !== undefined && last.from === follows) last.pages += pages;
    else runs.push({ pages, from });
  };
  return {
    addOwn: (content) => {
      for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
      add(content.length / pageBytes, undefined);
    },
    addSame: add,
    count: () => count,
    runs: () => runs,
    readOwn: (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const got = readSync(fd, bytes, done, bytes.length - done, read);
        if (got === 0) fail('INTERNAL', { message: `${path} ended early` });
        done += got;
        read += got;
      }
    },
    close: () => closeSync(fd),
  };
}
