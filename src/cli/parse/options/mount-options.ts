import { cut, quoted, refuse } from './usage.ts';

const BAD_OPTION = 'invalid mount option';

/** Options of which a mount takes one at most, with podman's words for the group. */
const GROUPS: readonly (readonly [readonly string[], string])[] = [
  [['noexec', 'exec'], "'noexec' or 'exec' option"],
  [['nodev', 'dev'], "'nodev' or 'dev' option"],
  [['nosuid', 'suid'], "'nosuid' or 'suid' option"],
  [['rw', 'ro'], "'rw' or 'ro' option"],
  [['z', 'Z', 'O'], "'z', 'Z', or 'O' option"],
  [['U'], "'U' option"],
  [
    ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'],
    "'[r]shared', '[r]private', '[r]slave' or '[r]unbindable' option",
  ],
  [['bind', 'rbind'], "'[r]bind' option"],
  [['copy', 'nocopy'], "'copy' or 'nocopy' option"],
];

/** Options that only macOS knows; docker and podman drop them. */
const IGNORED = new Set(['cached', 'delegated', 'consistent']);

/** Checks options of a bind mount or a volume; returns those that mean something. Throws USAGE. */
export function checkVolumeOptions(options: readonly string[]): string[] {
  const kept = options.filter((option) => !IGNORED.has(option));
  for (const option of kept) {
    if (!GROUPS.some(([members]) => members.includes(option)))
      refuse(`invalid option type ${quoted(option)}`);
  }
  for (const [members, words] of GROUPS) {
    if (kept.filter((option) => members.includes(option)).length > 1) {
      refuse(`invalid options ${quoted(options.join(', '))}, can only specify 1 ${words}`);
    }
  }
  if (kept.includes('O')) {
    refuse(
      'overlay volumes (option O) are not supported',
      'Mount the directory with ro, or copy it into a volume',
    );
  }
  return kept;
}

const TMPFS_FLAGS =
  /^(?:(?:no)?(?:exec|suid|dev)|rw|ro|noatime|nodiratime|relatime|strictatime|noswap|U|(?:no)?tmpcopyup)$/;
const TMPFS_VALUES: Readonly<Record<string, RegExp>> = {
  size: /^[0-9]+(?:[kKmMgGtT]|%)?$/,
  nr_blocks: /^[0-9]+[kKmMgG]?$/,
  nr_inodes: /^[0-9]+[kKmMgG]?$/,
  mode: /^[0-7]{1,5}$/,
  uid: /^[0-9]+$/,
  gid: /^[0-9]+$/,
};
const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;

/** Checks options of a tmpfs (tmpfs(5)). Throws USAGE. */
export function checkTmpfsOptions(options: readonly string[]): string[] {
  for (const option of options) {
    const [name, value] = cut(option, '=');
    const pattern = Object.hasOwn(TMPFS_VALUES, name) ? TMPFS_VALUES[name] : undefined;
    const known =
      value === undefined ? TMPFS_FLAGS.test(name) || PROPAGATION.test(name) : pattern?.test(value) === true;
    if (!known) refuse(`unknown mount option ${quoted(option)}: ${BAD_OPTION}`);
    if (options.filter((other) => cut(other, '=')[0] === name).length > 1) {
      refuse(`only one tmpfs ${name} can be specified: duplicate mount option passed`);
    }
  }
  return [...options];
}
