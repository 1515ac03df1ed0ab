import { fail } from '../model/errors.ts';
import { readFileInRoot } from '../system/confined-path.ts';
import type { ResolvedUser } from './types.ts';

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** uid_t and gid_t; the last one means "no change" to chown(2). */
const MAX_ID = 0xfffffffe;

/**
 * Resolves `name`, `uid`, `user:group` (either part a name or a number; empty means root) against the /etc/passwd and
 * /etc/group below `rootfs`, as Docker and podman do: a number needs no entry, a name does. Supplementary groups come
 * from /etc/group unless a group was given. Symbolic links cannot lead out of `rootfs`. Fails with USAGE for an unknown
 * name and with IMAGE_INVALID where one of the files is no ordinary file.
 */
export function resolveUser(rootfs: string, user: string): ResolvedUser {
  return lookUp(
    user,
    readFileInRoot(rootfs, '/etc/passwd') ?? '',
    readFileInRoot(rootfs, '/etc/group') ?? '',
  );
}

/** {@link resolveUser} on the files' texts. */
export function lookUp(user: string, passwd: string, group: string): ResolvedUser {
  const [userPart = '', groupPart] = user.split(':', 2);
  const wanted = userPart === '' ? '0' : userPart;
  const entry = parsePasswd(passwd).find((line) => line.name === wanted || String(line.uid) === wanted);
  const uid = entry?.uid ?? idOf(wanted);
  if (uid === undefined) {
    fail('USAGE', { message: `unable to find user ${wanted}: no matching entries in passwd file` });
  }
  const groups = parseGroup(group);
  const name = entry?.name ?? String(uid);
  const groupGiven = groupPart !== undefined && groupPart !== '';
  return {
    uid,
    gid: groupGiven ? findGroup(groupPart, groups) : (entry?.gid ?? 0),
    additionalGids: groupGiven
      ? []
      : groups.filter((line) => line.members.includes(name)).map((line) => line.gid),
    home: entry === undefined || entry.home === '' ? '/' : entry.home,
    name,
  };
}

function findGroup(wanted: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((line) => line.name === wanted || String(line.gid) === wanted)?.gid ?? idOf(wanted);
  return (
    gid ?? fail('USAGE', { message: `unable to find group ${wanted}: no matching entries in group file` })
  );
}

function idOf(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

const linesOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

/** passwd(5): name:password:UID:GID:GECOS:home:shell. Lines that are none are passed over. */
const parsePasswd = (text: string): PasswdEntry[] =>
  linesOf(text).flatMap(([name = '', , uidText = '', gidText = '', , home = '']) => {
    const uid = idOf(uidText);
    const gid = idOf(gidText);
    return uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
  });

/** group(5): name:password:GID:members. */
const parseGroup = (text: string): GroupEntry[] =>
  linesOf(text).flatMap(([name = '', , gidText = '', members = '']) => {
    const gid = idOf(gidText);
    return gid === undefined ? [] : [{ name, gid, members: members.split(',') }];
  });
