import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { processTree } from '../system/procfs.ts';
import { IMAGE_MAGIC, readImage } from './images.ts';
import { optional, required } from './protobuf.ts';
import { type FileTable, readDescriptors, readFileTable } from './view/file-entries.ts';
import { filePath } from './view/files.ts';
import { readMemoryMap } from './view/memory-areas.ts';
import { filesIdOf } from './view/tasks.ts';

/** CRIU images/remap-file-path.proto. */
const REMAP = {
  originalId: required(1, 'uint32'),
  remapId: required(2, 'uint32'),
  type: optional(3, 'uint32'),
};
const LINKED = 0;

/** A file that is open under a name that is deleted, while the file has other names. */
export interface LinkRemap {
  /** The name under which CRIU looks for the file on restore, and which it removes then. As the container sees it. */
  readonly name: string;
  /** A path in /proc that leads to the file; undefined where it is open in a way that has none. */
  readonly source: string | undefined;
}

/**
 * The names that CRIU made for such files while it dumped (CRIU criu/files-reg.c create_link_remap). At the end of a dump
 * that leaves the processes alive it takes them away again. The processes below `initPid` must not have run since.
 * Errors: IMAGE_INVALID.
 */
export async function linkRemaps(images: string, initPid: number): Promise<readonly LinkRemap[]> {
  const linked = (await readRemaps(images)).filter(({ type }) => (type ?? LINKED) === LINKED);
  if (linked.length === 0) return [];
  const table = await readFileTable(images);
  const sources = await openFiles(images, initPid);
  return linked.map(({ originalId, remapId }) => ({
    name: nameOf(images, table, remapId),
    source: sources.get(originalId),
  }));
}

/** Their names alone, of images whose processes may be gone. Errors: IMAGE_INVALID. */
export async function linkRemapNames(images: string): Promise<readonly string[]> {
  const linked = (await readRemaps(images)).filter(({ type }) => (type ?? LINKED) === LINKED);
  if (linked.length === 0) return [];
  const table = await readFileTable(images);
  return linked.map(({ remapId }) => nameOf(images, table, remapId));
}

const nameOf = (images: string, table: FileTable, remapId: number): string =>
  filePath(table, remapId) ??
  fail('IMAGE_INVALID', { message: `${images}/files.img lacks the file ${remapId}` });

async function readRemaps(images: string) {
  try {
    return await readImage(join(images, 'remap-fpath.img'), IMAGE_MAGIC.remapPath, REMAP);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Where each file of files.img is found: by a descriptor, a mapping, or as the program of a process. */
async function openFiles(images: string, initPid: number): Promise<ReadonlyMap<number, string>> {
  const sources = new Map<number, string>();
  for (const { pid } of processTree(initPid)) {
    const inner = innerPid(pid);
    const filesId = await filesIdOf(images, inner);
    if (filesId !== undefined) {
      for (const { id, fd } of await readDescriptors(images, filesId))
        sources.set(id, `/proc/${pid}/fd/${fd}`);
    }
    const memory = await readMemoryMap(images, inner);
    if (memory === undefined) continue;
    for (const { fileId, start, end } of memory.areas) {
      if (fileId !== undefined)
        sources.set(fileId, `/proc/${pid}/map_files/${start.toString(16)}-${end.toString(16)}`);
    }
    sources.set(memory.program, `/proc/${pid}/exe`);
  }
  return sources;
}

/** The PID in the innermost namespace, which the images go by (proc_pid_status(5), NSpid). */
function innerPid(pid: number): number {
  const [, pids] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(pids?.split(/\s+/).at(-1) ?? pid);
}
