import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../model/errors.ts';
import { hostPageBytes } from '../../system/page-size.ts';
import { insideTree } from '../../system/procfs.ts';
import { readImageBytes } from '../images.ts';
import { readAreas } from './areas.ts';
import { chainOf } from './chain.ts';
import { expectedPages, NOTHING_EXPECTED } from './expected-pages.ts';
import type { DeltaFigures } from './figures.ts';
import { loadLevels, PAGE_MAP, pageMapNames } from './levels.ts';

import { matchStream } from './match-stream.ts';
import { openRecord, type PageRecord } from './page-record.ts';
import { MAX_MAP_BYTES, parsePageTable, placeRanges } from './page-table.ts';
import type { Pulse } from './pulse.ts';
import { copyOtherFiles } from './rewrite.ts';
import { writeRecorded } from './write-recorded.ts';

export interface StreamJob {
  readonly verb: 'stream';
  /** Directory in which CRIU makes page maps, while its pages come as streams. */
  readonly images: string;
  readonly parent: string;
  readonly into: string;
  /** First of the processes, as this process sees it. */
  readonly root: number;
}

/** A delta that is made while CRIU dumps. */
export interface StreamedImages {
  /** Reads pages-N.img from a descriptor to its end, after CRIU has made its page map and before it makes the next. */
  readonly take: (number: number, fd: number) => Promise<void>;
  /** Once the dump has ended: writes the delta. */
  readonly finish: () => Promise<DeltaFigures>;
  /** Closes what is open. Idempotent. */
  readonly close: () => void;
}

export async function openStream(job: StreamJob, pulse: Pulse): Promise<StreamedImages> {
  const { images, parent, into, root } = job;
  const chain = await chainOf(parent);
  const pageBytes = hostPageBytes();
  const records = new Map<number, PageRecord>();
  const seen = new Set<string>();
  const spillOf = (number: number): string => join(into, `.own-${number}`);
  /** The page map that CRIU has made for the stream that begins: the only one that is new. */
  const newPageMap = (): string | undefined => {
    const names = readdirSync(images).filter((name) => PAGE_MAP.test(name) && !seen.has(name));
    for (const name of names) seen.add(name);
    return names.length === 1 ? names[0] : undefined;
  };
  const close = (): void => {
    for (const [number, record] of records) {
      record.close();
      rmSync(spillOf(number), { force: true });
    }
    records.clear();
  };
  return {
    take: async (number, fd) => {
      const record = openRecord(spillOf(number), pageBytes);
      records.set(number, record);
      const name = newPageMap() ?? '';
      const pid = Number(/^pagemap-(\d+)\.img$/.exec(name)?.[1]);
      const process = insideTree(root).find((one) => one.pid === pid);
      const [levels] = await loadLevels([chain], name, pageBytes);
      const expected = process === undefined ? NOTHING_EXPECTED : expectedPages(process.hostPid, pageBytes);
      matchStream(fd, { parent: levels ?? { levels: [], pageBytes }, expected, record, pulse });
    },
    finish: async () => {
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
