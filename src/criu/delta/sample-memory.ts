import { setTimeout as sleep } from 'node:timers/promises';
import { hostPageBytes } from '../../system/page-size.ts';
import { isDumped } from './live.ts';
import { type LiveArea, liveAreas } from './live-areas.ts';
import { type LiveProcess, openProcess } from './live-process.ts';

/** How much memory processes have, and how much of it they write anew. */
export interface MemorySample {
  /** Bytes of private memory, in memory or swapped out. */
  readonly bytes: number;
  /** Bytes a second that were written anew: pages that are written again and again count once. */
  readonly changeRate: number;
  /** Of the pages that were looked at, those that had changed at the second look; 0 to 1. */
  readonly share: number;
}

/** Pages that are looked at: one of a hundred that changes is seen some forty times. */
const PAGES = 4096;
/** Places that are tried for each page: much of an area may never have been touched. */
const TRIES = 4;
/** Milliseconds between the two looks. */
const INTERVAL = 500;

interface Spot {
  readonly process: LiveProcess;
  readonly address: number;
  readonly before: Buffer;
}

/**
 * Looks twice at pages by chance of running processes (PIDs as this process sees them), which are neither stopped nor slowed.
 * It takes half a second. Fails with INTERRUPTED's cause where `signal` fires, and the system's error.
 */
export async function sampleMemory(pids: readonly number[], signal?: AbortSignal): Promise<MemorySample> {
  const pageBytes = hostPageBytes();
  const open = pids.flatMap((pid) => {
    const process = openProcess(pid);
    return process === undefined ? [] : [{ process, areas: liveAreas(pid) }];
  });
  try {
    const places = open.flatMap(({ process, areas }) => areas.map((area) => ({ process, area })));
    const bytes = places.reduce((sum, { area }) => sum + area.filled, 0);
    const begun = performance.now();
    const spots = chooseSpots(places, bytes, pageBytes);
    if (spots.length === 0) return { bytes, changeRate: 0, share: 0 };
    await sleep(INTERVAL, undefined, { signal });
    const seconds = (performance.now() - begun) / 1000;
    const changed = spots.filter(({ process, address, before }) => {
      const now = readPage(process, address, pageBytes);
      return now !== undefined && !now.equals(before);
    });
    const share = changed.length / spots.length;
    return { bytes, share, changeRate: (share * bytes) / seconds };
  } finally {
    for (const { process } of open) process.close();
  }
}

interface Place {
  readonly process: LiveProcess;
  readonly area: LiveArea;
}

/** Each area gets its share of the pages, spread by chance. */
function chooseSpots(places: readonly Place[], bytes: number, pageBytes: number): Spot[] {
  const spots: Spot[] = [];
  const wanted = Math.min(PAGES, bytes / pageBytes);
  let due = 0;
  const entry = new Uint32Array(2);
  for (const { process, area } of places) {
    // What an area leaves of a page goes to the next, so that many small areas are not left out.
    due += (area.filled / bytes) * wanted;
    const pages = (area.end - area.start) / pageBytes;
    for (let tries = Math.ceil(due) * TRIES; due >= 1 && tries > 0; tries -= 1) {
      const address = area.start + Math.floor(Math.random() * pages) * pageBytes;
      if (process.pagemap(entry, address / pageBytes) === 0 || !isDumped(entry[1] ?? 0)) continue;
      const before = readPage(process, address, pageBytes);
      if (before === undefined) continue;
      spots.push({ process, address, before });
      due -= 1;
    }
  }
  return spots;
}

function readPage(process: LiveProcess, address: number, pageBytes: number): Buffer | undefined {
  const page = Buffer.allocUnsafe(pageBytes);
  return process.memory(page, address) === pageBytes ? page : undefined;
}
