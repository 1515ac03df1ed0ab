/** Unit of a tar archive, bytes. */
export const TAR_BLOCK = 512;

/** Two zero blocks end an archive (POSIX.1-2017 pax, "ustar Interchange Format"). */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

export interface TarMember {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link';
  /** Where a symbolic link leads; at most 100 bytes. */
  readonly target?: string | undefined;
  /** Bytes of content. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly modified: number;
}

/** Longest name that the header's own field holds; a longer one goes into a pax record before the header. */
const NAME_BYTES = 100;
/** One more than eleven octal digits can say: 8 GiB. */
const OCTAL_LIMIT = 8 ** 11;
/** A link's own mode means nothing: 0777 as everywhere. */
const MODE = { file: 0o600, directory: 0o700, link: 0o777 } as const;
const FLAG = { file: '0', directory: '5', link: '2' } as const;

/** Zero bytes that fill the last block of a content of `size` bytes. */
export const tarPadding = (size: number): Buffer =>
  Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);

/**
 * The header blocks of a member that root owns: one, or three where the name is longer than 100 bytes. How many depends
 * on the name alone, so that the header of a size that is known later fits where it was reserved. Sizes from 8 GiB on
 * are written in base 256 as GNU tar does, which Go and all common readers know.
 */
export function tarHeader(member: TarMember): Buffer {
  const name = member.type === 'directory' ? `${member.name}/` : member.name;
  const flag = FLAG[member.type];
  const mode = MODE[member.type];
  if (Buffer.byteLength(name) <= NAME_BYTES) return block(name, flag, mode, member);
  const record = paxRecord('path', name);
  const pax = block('PaxHeader', 'x', MODE.file, { size: record.length, modified: member.modified });
  // A reader without pax still gets a name, as far as it fits.
  return Buffer.concat([pax, record, tarPadding(record.length), block(name, flag, mode, member)]);
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits too (POSIX.1-2017 pax, "pax Extended Header"). */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function block(
  name: string,
  flag: string,
  mode: number,
  { size, modified, target = '' }: Pick<TarMember, 'size' | 'modified' | 'target'>,
): Buffer {
  const header = Buffer.alloc(TAR_BLOCK);
  Buffer.from(name).copy(header, 0, 0, NAME_BYTES);
  writeOctal(header, 100, 8, mode);
  writeOctal(header, 108, 8, 0);
  writeOctal(header, 116, 8, 0);
  writeSize(header, size);
  writeOctal(header, 136, 12, modified);
  header.write(flag, 156);
  header.write(target, 157, NAME_BYTES);
  header.write('ustar\x0000', 257, 'latin1');
  header.write('root', 265);
  header.write('root', 297);
  // The sum counts its own field as spaces.
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function writeOctal(header: Buffer, at: number, width: number, value: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}

function writeSize(header: Buffer, size: number): void {
  if (size < OCTAL_LIMIT) {
    writeOctal(header, 124, 12, size);
    return;
  }
  header.writeUInt8(0x80, 124);
  header.writeBigUInt64BE(BigInt(size), 128);
}
