import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../model/errors.ts';
import { hostPageBytes } from '../../system/page-size.ts';
import { insideTree } from '../../system/procfs.ts';
import { iterateImage, readImageBytes } from '../images.ts';
import { decodeMessage } from '../protobuf.ts';
import { readAreas } from './areas.ts';
import { chainOf } from './chain.ts';
import { expectedPages, NOTHING_EXPECTED } from './expected-pages.ts';
import type { DeltaFigures } from './figures.ts';
import { loadLevels, PAGE_MAP, pageMapNames } from './levels.ts';
import { matchStream } from './match-stream.ts';
import { openRecord, type PageRecord } from './page-record.ts';
import { MAX_MAP_BYTES, PAGEMAP_HEAD, parsePageTable, placeRanges } from './page-table.ts';
import type { Pulse } from './pulse.ts';
import { copyOtherFiles } from './rewrite.ts';
import { writeRecorded } from './write-recorded.ts';

export interface StreamJob {
  readonly verb: 'stream';
  readonly parent: string;
  readonly into: string;
  /** First of the processes, as this process sees it. */
  readonly root: number;
}

/** A delta that is made while CRIU dumps. */
export interface StreamedImages {
  /**
   * Reads pages-N.img from a descriptor to its end, after CRIU has made its page map in the directory `images` and before it
   * makes the next.
   */
  readonly take: (images: string, number: number, fd: number) => Promise<void>;
  /** Once the dump has ended: writes the delta. */
  readonly finish: (images: string) => Promise<DeltaFigures>;
  /** Closes what is open. Idempotent. */
  readonly close: () => void;
}

/** CRIU writes page maps in pieces of a page; nothing but the magic numbers is shorter than this. */
const HEAD_BYTES = 12;

/** Begins the job. Fails with IMAGE_INVALID, INTERRUPTED or the system's error, as all that it gives does. */
export async function openStream(job: StreamJob, pulse: Pulse): Promise<StreamedImages> {
  const { parent, into, root } = job;
  const chain = await chainOf(parent);
  const pageBytes = hostPageBytes();
  const records = new Map<number, PageRecord>();
  const seen = new Set<string>();
  const spillOf = (number: number): string => join(into, `.own-${number}`);
  /** The page map that belongs to a stream. CRIU may have come to the next one already, where the pipe holds all of this one. */
  const pageMapOf = async (images: string, number: number): Promise<string | undefined> => {
    const names = readdirSync(images).filter((name) => PAGE_MAP.test(name) && !seen.has(name));
    const numbers = await Promise.all(names.map((name) => pagesIdOf(join(images, name))));
    const found =
      names.find((_, i) => numbers[i] === number) ?? names.find((_, i) => numbers[i] === undefined);
    if (found !== undefined) seen.add(found);
    return found;
  };
  const close = (): void => {
    for (const [number, record] of records) {
      record.close();
      rmSync(spillOf(number), { force: true });
    }
    records.clear();
  };
  return {
    take: async (images, number, fd) => {
      const record = openRecord(spillOf(number), pageBytes);
      records.set(number, record);
      const name = await pageMapOf(images, number);
      const pid = Number(/^pagemap-(\d+)\.img$/.exec(name ?? '')?.[1]);
      const process = insideTree(root).find((one) => one.pid === pid);
      const [levels] = name === undefined ? [] : await loadLevels([chain], name, pageBytes);
      const expected = process === undefined ? NOTHING_EXPECTED : expectedPages(process.hostPid, pageBytes);
      matchStream(fd, { parent: levels ?? { levels: [], pageBytes }, expected, record, pulse });
    },
    finish: async (images) => {
      const names = await pageMapNames(images);
      await copyOtherFiles(images, names, into);
      const sum = { ownPages: 0, parentPages: 0, pageBytes };
      for (const name of names) {
        const path = join(images, name);
        const table = parsePageTable(await readImageBytes(path, MAX_MAP_BYTES), path);
        placeRanges(table, pageBytes, path);
        const record = records.get(table.pagesId);
        if ((record?.count() ?? 0) !== table.own) {
          fail('IMAGE_INVALID', {
            message: `${path} tells of ${table.own} pages, and ${record?.count() ?? 0} came`,
          });
        }
        const [levels] = await loadLevels([chain], name, pageBytes);
        const areas = await readAreas(images, name, pageBytes);
        const work = { name, table, record, parent: levels ?? { levels: [], pageBytes }, areas, into, pulse };
        const { ownPages, parentPages } = writeRecorded(work);
        sum.ownPages += ownPages;
        sum.parentPages += parentPages;
      }
      close();
      return sum;
    },
    close,
  };
}

/** The number that a page map begins with; undefined while CRIU has not written that. */
async function pagesIdOf(path: string): Promise<number | undefined> {
  const bytes = await readImageBytes(path, MAX_MAP_BYTES);
  if (bytes.length < HEAD_BYTES) return undefined;
  const head = iterateImage(bytes, path).entries.next().value;
  return head === undefined ? undefined : decodeMessage(head, PAGEMAP_HEAD).pagesId;
}
