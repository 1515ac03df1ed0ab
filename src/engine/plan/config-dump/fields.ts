import * as v from 'valibot';

/** Linux takes no longer argument or variable (MAX_ARG_STRLEN, 32 pages); labels may be somewhat longer. */
const MAX_TEXT = 1 << 20;
/** More than any container has. */
const MAX_ITEMS = 10_000;
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/** Any text that C strings can hold. */
export const text = v.pipe(
  v.string(),
  v.maxLength(MAX_TEXT),
  v.check((value) => !value.includes('\0'), 'it holds a NUL'),
);

/** Text for a line of a file: no control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
export const line = v.pipe(text, v.regex(/^[^\u0000-\u001f\u007f]*$/, 'it holds control characters'));

/** A word for a line of a file whose words are separated by blanks. */
export const word = v.pipe(line, v.regex(/^[^\s#]{1,255}$/, 'not a word'));

export const listOf = <const S extends v.GenericSchema>(item: S) =>
  v.pipe(v.array(item), v.maxLength(MAX_ITEMS));
export const texts = listOf(text);
export const textMap = v.pipe(
  v.record(text, text),
  v.check((value) => Object.keys(value).length <= MAX_ITEMS, 'too many entries'),
);

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(MAX_NUMBER));
/** -1 is unlimited. */
export const limit = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
export const port = v.pipe(count, v.maxValue(65_535));

export const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not 64 hexadecimal digits'));
/** Names of containers, volumes and networks end up in paths. */
export const name = v.pipe(
  v.string(),
  v.maxLength(255),
  v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'not a valid name'),
);

const isAbsolute = (path: string): boolean => path.startsWith('/') && !path.split('/').includes('..');
export const absolutePath = v.pipe(text, v.check(isAbsolute, 'not an absolute path, or with ".." in it'));
/** Where something is mounted. */
export const destination = v.pipe(
  absolutePath,
  v.check((path) => path.split('/').some((part) => part !== '' && part !== '.'), 'nothing is mounted over /'),
);

export const ip = v.pipe(v.string(), v.maxLength(45), v.ip('not an IP address'));
export const mac = v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, 'not a MAC address'));
export const interfaceName = v.pipe(v.string(), v.regex(/^[^\s/:\0]{1,15}$/, 'not a name for an interface'));
/** Empty: none of its own. */
export const hostname = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_.-]{0,253}$/, 'not a host name'));

/** UTC, up to nine fractional digits. */
export const time = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/, 'not a time in UTC'),
);

/** Mount options that cryopod knows; what they mean together is checked where the mount is made. */
const MOUNT_OPTION =
  /^(?:r[ow]|z|Z|U|(?:no)?(?:exec|dev|suid|copy)|r?(?:private|shared|slave|unbindable)|r?bind|noatime|nodiratime|relatime|strictatime|noswap|(?:no)?tmpcopyup|(?:size|nr_blocks|nr_inodes|mode|uid|gid)=[0-9]+[kKmMgGtT%]?)$/;
export const isMountOption = (option: string): boolean => MOUNT_OPTION.test(option);
