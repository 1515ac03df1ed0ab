import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { processTree } from '../../system/procfs.ts';
import { packsWell } from '../plan/packing.ts';
import type { MigrateOptions, Packing } from './types.ts';

/** Bytes of memory that are looked at, in blocks from all over it. */
const SAMPLE_BYTES = 8 << 20;
const BLOCK = 64 << 10;
/** Blocks that may be looked at to find as many that are not empty. */
const MAX_BLOCKS = 1024;
/** Of several threads of zstd, what each adds to the first. */
const THREAD_SHARE = 0.6;

const compress = promisify(zstdCompress);

/** How the content of members goes over a link of this speed: by what the container's own memory compresses to, and how fast. */
export async function choosePacking(
  { compress: asked }: Pick<MigrateOptions, 'compress'>,
  pid: number,
  linkRate: number | undefined,
): Promise<Packing> {
  if (asked !== 'auto') return asked;
  if (linkRate === undefined) return 'none';
  const sample = sampleMemory(pid);
  if (sample.length === 0) return 'zstd';
  const begun = performance.now();
  const packed = await compress(sample, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const seconds = (performance.now() - begun) / 1000;
  const packRate = (sample.length / seconds) * (1 + (availableParallelism() - 1) * THREAD_SHARE);
  return packsWell({ linkRate, packRate, ratio: packed.length / sample.length }) ? 'zstd' : 'none';
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Writable private memory of no file (proc_pid_maps(5)). */
function anonymousRanges(pid: number): Range[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ 00:00 0 *(?:\[heap\])?$/.exec(line) ?? [];
      if (start === undefined || end === undefined) return [];
      return [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
    });
}

/** Blocks at even distances over the memory of all processes, those without content left out. */
function sampleMemory(initPid: number): Buffer {
  const blocks: Buffer[] = [];
  const pids = processTree(initPid).map(({ pid }) => pid);
  for (const pid of pids) blocks.push(...blocksOf(pid, Math.ceil(MAX_BLOCKS / pids.length)));
  const step = Math.max(1, Math.ceil((blocks.length * BLOCK) / SAMPLE_BYTES));
  return Buffer.concat(blocks.filter((_, at) => at % step === 0));
}

const EMPTY = Buffer.alloc(BLOCK);

function blocksOf(pid: number, count: number): Buffer[] {
  const blocks: Buffer[] = [];
  let memory: number | undefined;
  try {
    const ranges = anonymousRanges(pid);
    const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    const step = Math.max(BLOCK, Math.floor(total / count));
    memory = openSync(`/proc/${pid}/mem`, 'r');
    for (const { start, end } of ranges) {
      for (let at = start; at < end; at += step) {
        const block = Buffer.alloc(Math.min(BLOCK, end - at));
        const got = readSync(memory, block, 0, block.length, at);
        if (!block.equals(EMPTY.subarray(0, block.length))) blocks.push(block.subarray(0, got));
      }
    }
  } catch {
    // A process that ends, or memory that goes away, is no part of the sample.
  } finally {
    if (memory !== undefined) closeSync(memory);
  }
  return blocks;
}
