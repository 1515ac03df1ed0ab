/** Writes ustar archives entry by entry (POSIX.1-1988 header), to make those that GNU tar would refuse to write. */

export interface TarEntry {
  readonly name: string;
  /** POSIX type flag: 0 file, 1 hard link, 2 symbolic link, 3 character device, 5 directory, 6 FIFO. */
  readonly type?: '0' | '1' | '2' | '3' | '5' | '6';
  readonly link?: string;
  readonly content?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly device?: readonly [number, number];
  /** Extended attributes, written as SCHILY.xattr records. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

const BLOCK = 512;

/** Seconds; all entries have this time. */
export const TAR_TIME = 1_600_000_000;

export const tar = (...entries: readonly TarEntry[]): Buffer =>
  Buffer.concat([...entries.flatMap(withExtensions), Buffer.alloc(2 * BLOCK)]);

function withExtensions(entry: TarEntry): Buffer[] {
  if (entry.xattrs === undefined) return [record(entry, entry.type ?? '0')];
  const content = Object.entries(entry.xattrs)
    .map(([name, value]) => paxLine(`SCHILY.xattr.${name}=${value}`))
    .join('');
  return [record({ name: 'pax', content }, 'x'), record(entry, entry.type ?? '0')];
}

function paxLine(text: string): string {
  const length = text.length + 2;
  const digits = String(length + String(length).length).length;
  return `${length + digits} ${text}\n`;
}

function record(entry: TarEntry, type: string): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(entry.name, 0);
  header.write(octal(entry.mode ?? (type === '5' ? 0o755 : 0o644), 8), 100);
  header.write(octal(entry.uid ?? 0, 8), 108);
  header.write(octal(entry.gid ?? 0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(TAR_TIME, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(entry.link ?? '', 157);
  header.write('ustar\x0000', 257);
  header.write(octal(entry.device?.[0] ?? 0, 8), 329);
  header.write(octal(entry.device?.[1] ?? 0, 8), 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = (BLOCK - (content.length % BLOCK)) % BLOCK;
  return Buffer.concat([header, content, Buffer.alloc(padding)]);
}
