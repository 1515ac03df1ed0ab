import { join } from 'node:path';
import { IMAGE_MAGIC, readImage } from '../images.ts';
import { optional, repeated, required } from '../protobuf.ts';

/** CRIU images/mm.proto and vma.proto. Addresses as in the process. */
const VMA = {
  start: required(1, 'uint64'),
  end: required(2, 'uint64'),
  pgoff: required(3, 'uint64'),
  shmid: required(4, 'uint64'),
  prot: required(5, 'uint32'),
  flags: required(6, 'uint32'),
  status: required(7, 'uint32'),
};
const MM = {
  argStart: required(8, 'uint64'),
  argEnd: required(9, 'uint64'),
  envStart: required(10, 'uint64'),
  envEnd: required(11, 'uint64'),
  exeFileId: required(12, 'uint32'),
  vmas: repeated(14, VMA),
  dumpable: optional(15, 'int32'),
};

/** Some 50 bytes a mapping, of which the kernel allows 65530 by default (vm.max_map_count). */
const MAX_BYTES = 16 << 20;

/** mmap(2) */
const MAP_SHARED = 1;
const MAP_GROWSDOWN = 0x100;

/** CRIU criu/include/image.h VMA_* */
const STATUS = {
  stack: 1 << 1,
  vsyscall: 1 << 2,
  vdso: 1 << 3,
  heap: 1 << 5,
  filePrivate: 1 << 6,
  fileShared: 1 << 7,
  anonShared: 1 << 8,
  sysvIpc: 1 << 10,
  socket: 1 << 11,
  vvar: 1 << 12,
  aioRing: 1 << 13,
  memfd: 1 << 14,
} as const;

/** One mapping of a process, as a line of /proc/PID/maps. */
export interface MemoryArea {
  readonly start: bigint;
  /** First address behind it. */
  readonly end: bigint;
  /** `rw-p` */
  readonly access: string;
  /** Bytes into the file or shared segment. */
  readonly offset: bigint;
  readonly shared: boolean;
  /** `[heap]`, `[stack]`, `[vdso]` …; empty for the rest. */
  readonly label: string;
  /** ID of the mapped file in files.img. */
  readonly fileId: number | undefined;
  /** Number of the anonymous shared segment whose pages are in pagemap-shmem-N.img. */
  readonly segment: bigint | undefined;
}

export interface MemoryMap {
  readonly areas: readonly MemoryArea[];
  readonly arguments: { readonly start: bigint; readonly end: bigint };
  readonly environment: { readonly start: bigint; readonly end: bigint };
  /** ID of the program's file in files.img. */
  readonly program: number;
}

/** mm-PID.img: what a process has mapped. Fails with IMAGE_INVALID, or the system's error. */
export async function readMemoryMap(directory: string, pid: number): Promise<MemoryMap | undefined> {
  const [mm] = await readImage(join(directory, `mm-${pid}.img`), IMAGE_MAGIC.mm, MM, MAX_BYTES);
  if (mm === undefined) return undefined;
  return {
    areas: mm.vmas.map((vma) => ({
      start: vma.start,
      end: vma.end,
      access: accessOf(vma.prot, vma.flags),
      offset: vma.pgoff,
      shared: isShared(vma.flags),
      label: labelOf(vma.status, vma.flags),
      fileId: vma.status & (STATUS.filePrivate | STATUS.fileShared) ? Number(vma.shmid) : undefined,
      segment: vma.status & STATUS.anonShared ? vma.shmid : undefined,
    })),
    arguments: { start: mm.argStart, end: mm.argEnd },
    environment: { start: mm.envStart, end: mm.envEnd },
    program: mm.exeFileId,
  };
}

const isShared = (flags: number): boolean => (flags & MAP_SHARED) !== 0;

const accessOf = (prot: number, flags: number): string =>
  (prot & 1 ? 'r' : '-') + (prot & 2 ? 'w' : '-') + (prot & 4 ? 'x' : '-') + (isShared(flags) ? 's' : 'p');

function labelOf(status: number, flags: number): string {
  // Only the first thread's stack grows by itself; CRIU's own mark for stacks is not in its images any more.
  if ((flags & MAP_GROWSDOWN) !== 0) return '[stack]';
  const labels: readonly (readonly [number, string])[] = [
    [STATUS.heap, '[heap]'],
    [STATUS.stack, '[stack]'],
    [STATUS.vdso, '[vdso]'],
    [STATUS.vvar, '[vvar]'],
    [STATUS.vsyscall, '[vsyscall]'],
    [STATUS.sysvIpc, '[sysv shared memory]'],
    [STATUS.socket, '[packet ring]'],
    [STATUS.aioRing, '[aio ring]'],
  ];
  return labels.find(([bit]) => (status & bit) !== 0)?.[1] ?? '';
}

/** Bytes that a process has mapped with MAP_SHARED: what checkpointctl calls the shared memory size. */
export const sharedBytes = (areas: readonly MemoryArea[]): number =>
  areas.reduce(
    (sum, area) => sum + (area.shared && area.end > area.start ? Number(area.end - area.start) : 0),
    0,
  );
