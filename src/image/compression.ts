import type { FileHandle } from 'node:fs/promises';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Leading bytes: RFC 1952, RFC 8878, and the documents of bzip2 and xz. */
const MAGIC: readonly { readonly bytes: readonly number[]; readonly compression: Compression }[] = [
  { bytes: [0x1f, 0x8b], compression: 'gzip' },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], compression: 'zstd' },
  { bytes: [0x42, 0x5a, 0x68], compression: 'bzip2' },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], compression: 'xz' },
];

const PROGRAMS: Readonly<Record<Exclude<Compression, 'none'>, readonly string[]>> = {
  gzip: ['gzip', '-dc'],
  zstd: ['zstd', '-dcq'],
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dc'],
};

/** Suffixes of OCI layer media types; bzip2 and xz have none. */
export const MEDIA_SUFFIX: Readonly<Partial<Record<Compression, string>>> = {
  none: '',
  gzip: '+gzip',
  zstd: '+zstd',
};

/** How a file is compressed, told by its first bytes and not by what anyone says about it. Leaves the offset alone. */
export async function detectCompression(file: FileHandle): Promise<Compression> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
  const head = buffer.subarray(0, bytesRead);
  const match = MAGIC.find(({ bytes }) => bytes.every((byte, at) => head[at] === byte));
  return match?.compression ?? 'none';
}

/** A program that decompresses its standard input to its standard output; undefined where nothing is to be done. */
export const decompressor = (compression: Compression): readonly string[] | undefined =>
  compression === 'none' ? undefined : PROGRAMS[compression];
