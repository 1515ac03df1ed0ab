import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { decodeMessage, type Message, type MessageSchema, optional, repeated, required } from './protobuf.ts';

/** First word of an image since format 1.1, and of service files such as the statistics (CRIU criu/include/magic.h). */
const IMG_COMMON_MAGIC = 0x54564319;
export const IMG_SERVICE_MAGIC = 0x55105940;

/** Words that tell an image's type (CRIU criu/include/magic.h). */
export const IMAGE_MAGIC = {
  inventory: 0x58313116,
  pstree: 0x50273030,
  core: 0x55053847,
  pagemap: 0x56084025,
  ids: 0x54432030,
  creds: 0x54023547,
  seccomp: 0x64413049,
  cgroup: 0x59383330,
  mm: 0x57492820,
  files: 0x56303138,
  fdinfo: 0x56213732,
  fs: 0x51403912,
  mounts: 0x55563928,
  uts: 0x54473203,
  memfd: 0x48453499,
  remapPath: 0x59133954,
  netdev: 0x57373951,
  stats: 0x57093306,
} as const;

/** Images of metadata are small; whatever claims more is refused rather than read into memory. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

export interface ImageEntries {
  /** The word that tells the type. */
  readonly magic: number;
  readonly entries: readonly Uint8Array[];
}

/**
 * Reads an image file whole: one or two magic words, then entries of a 32-bit size and that many bytes of protobuf
 * (CRIU criu/image.c img_check_magic, criu/protobuf.c do_pb_read_one). Opens neither symlinks nor anything but a
 * regular file. Fails with IMAGE_INVALID for another form, and with the system's error where the file cannot be read.
 */
export async function readImageEntries(path: string, maxBytes = DEFAULT_MAX_BYTES): Promise<ImageEntries> {
  return parseImageEntries(await readImageBytes(path, maxBytes), path);
}

/** The same from bytes in memory; `name` is for the error. */
export function parseImageEntries(bytes: Uint8Array, name: string): ImageEntries {
  const { magic, entries } = iterateImage(bytes, name);
  return { magic, entries: [...entries] };
}

/**
 * The type of an image, and its entries one after another: for page maps, which have so many that a list of them would
 * take many times the memory of the file. Fails with IMAGE_INVALID, for a bad entry when it is reached.
 */
export function iterateImage(
  bytes: Uint8Array,
  name: string,
): { readonly magic: number; readonly entries: Generator<Uint8Array> } {
  const invalid = (why: string): never =>
    fail('IMAGE_INVALID', { message: `${name} is not a readable CRIU image: ${why}` });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number =>
    at + 4 <= bytes.length ? view.getUint32(at, true) : invalid('it ends early');
  const first = word(0);
  const hasHead = first === IMG_COMMON_MAGIC || first === IMG_SERVICE_MAGIC;
  function* read(): Generator<Uint8Array> {
    for (let at = hasHead ? 8 : 4; at < bytes.length; ) {
      const size = word(at);
      if (at + 4 + size > bytes.length) invalid('an entry ends early');
      yield bytes.subarray(at + 4, at + 4 + size);
      at += 4 + size;
    }
  }
  return { magic: hasHead ? word(4) : first, entries: read() };
}

/** All entries of an image whose entries are of one message type. Fails with IMAGE_INVALID when the type is another. */
export async function readImage<S extends MessageSchema>(
  path: string,
  magic: number,
  schema: S,
  maxBytes = DEFAULT_MAX_BYTES,
): Promise<Message<S>[]> {
  const image = await readImageEntries(path, maxBytes);
  if (image.magic !== magic) {
    const found = image.magic.toString(16);
    fail('IMAGE_INVALID', { message: `${path} is a CRIU image of another type (magic 0x${found})` });
  }
  return image.entries.map((entry) => decodeMessage(entry, schema));
}

/** A whole image file, under the rules of {@link readImageEntries}. */
export async function readImageBytes(path: string, maxBytes = DEFAULT_MAX_BYTES): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) fail('IMAGE_INVALID', { message: `${path} is not a regular file` });
    if (stat.size > maxBytes) {
      fail('IMAGE_INVALID', {
        message: `${path} is larger than any CRIU image of its kind (${stat.size} bytes)`,
      });
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** CRIU images/pstree.proto. PIDs are those inside the container's PID namespace. */
export const PSTREE_ENTRY = {
  pid: required(1, 'uint32'),
  ppid: required(2, 'uint32'),
  pgid: required(3, 'uint32'),
  sid: required(4, 'uint32'),
  threads: repeated(5, 'uint32'),
};

/** CRIU images/inventory.proto. */
export const INVENTORY_ENTRY = {
  imgVersion: required(1, 'uint32'),
  /** CLOCK_MONOTONIC-like uptime of the host at the dump, microseconds. */
  dumpUptime: optional(8, 'uint64'),
  preDumpMode: optional(9, 'uint32'),
  tcpClose: optional(10, 'bool'),
  networkLockMethod: optional(11, 'uint32'),
};

/** core_entry.march (CRIU images/core.proto), in the words of `uname -m`. */
export const MACHINES = [
  'unknown',
  'x86_64',
  'arm',
  'aarch64',
  'ppc64le',
  's390x',
  'mips',
  'loongarch64',
  'riscv64',
];

/** inventory.img, or undefined where the directory holds no finished dump (CRIU writes the inventory last). */
export async function readInventory(directory: string): Promise<Message<typeof INVENTORY_ENTRY> | undefined> {
  try {
    const [entry] = await readImage(join(directory, 'inventory.img'), IMAGE_MAGIC.inventory, INVENTORY_ENTRY);
    return entry;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
