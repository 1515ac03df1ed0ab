import { fail } from '../model/errors.ts';
import { IDENTITY_FILE, MAX_IDENTITY_BYTES } from './identity.ts';
import { MEMBER, MEMBER_DIRECTORY, PARENT_LINK } from './members.ts';
import { quoteName } from './tar-reader.ts';
import type { MemberEntry } from './types.ts';

/**
 * What is to be done with a member: `known` ones may be written under their name; `ignored` ones are read past, and so
 * are `unknown` ones, which are reported; a `directory` is made when something is written into it; `link` is
 * {@link PARENT_LINK}.
 */
export type MemberRole = 'known' | 'ignored' | 'unknown' | 'directory' | 'link';

export interface PlacedMember {
  readonly role: MemberRole;
  /** Relative, without `.` parts, without a slash at its end. */
  readonly name: string;
}

/** What is read into memory by whoever uses it. */
const MAX_METADATA = 16 << 20;
const CAPS: Readonly<Record<string, number>> = {
  [MEMBER.config]: MAX_METADATA,
  [MEMBER.spec]: MAX_METADATA,
  [MEMBER.network]: MAX_METADATA,
  [MEMBER.statistics]: MAX_METADATA,
  [MEMBER.facts]: MAX_METADATA,
  [MEMBER.sums]: MAX_METADATA,
  [MEMBER.deleted]: 64 << 20,
  [`${MEMBER_DIRECTORY.preImages}/${IDENTITY_FILE}`]: MAX_IDENTITY_BYTES,
};

const KNOWN = new Set<string>(Object.values(MEMBER));
const DIRECTORIES = new Set<string>(Object.values(MEMBER_DIRECTORY));

const MAX_NAME = 255;
/** Names of CRIU's images and of what runtimes put beside them. */
const IMAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,200}$/;
/** Names of volumes are those of model/ids.ts. */
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}\.tar$/;
/** Names that mean nothing to any program and are safe to print. */
const PLAIN_NAME = /^[A-Za-z0-9._][A-Za-z0-9._:+@=-]*$/;

const invalid = (message: string): never => fail('ARCHIVE_INVALID', { message });

/**
 * Where a member belongs. Undefined for the archive's own root (`./`). Fails with ARCHIVE_INVALID for names that lead
 * elsewhere or that no checkpoint archive has.
 */
export function placeMember(entry: MemberEntry): PlacedMember | undefined {
  const name = normalize(entry);
  if (name === undefined) return undefined;
  if (entry.kind === 'link') return placeLink(entry, name);
  const role = entry.kind === 'directory' ? directoryRole(name) : fileRole(name);
  if (role === undefined) invalid(`its member ${quoteName(entry.name)} has no place in a checkpoint archive`);
  if (entry.size !== undefined) checkMemberSize(name, entry.size);
  return { name, role: role ?? 'unknown' };
}

/** Takes off the `./` that some programs begin with, and the slash at a directory's end. */
function normalize({ kind, name: raw }: MemberEntry): string | undefined {
  const bare = kind === 'directory' && raw.endsWith('/') ? raw.slice(0, -1) : raw;
  if (bare === '.' && kind === 'directory') return undefined;
  const name = bare.startsWith('./') ? bare.slice(2) : bare;
  if (name.length > MAX_NAME) invalid(`its member ${quoteName(raw)} has a name of ${name.length} bytes`);
  for (const part of name.split('/')) {
    if (/^\.*$/.test(part) || !PLAIN_NAME.test(part)) {
      invalid(`its member ${quoteName(raw)} has a name that is not safe`);
    }
  }
  return name;
}

function placeLink({ target }: MemberEntry, name: string): PlacedMember {
  if (name !== PARENT_LINK.name || target !== PARENT_LINK.target) {
    invalid(`its member ${quoteName(name)} is a symbolic link to ${quoteName(target)}`);
  }
  return { name, role: 'link' };
}

function directoryRole(name: string): MemberRole | undefined {
  if (DIRECTORIES.has(name)) return 'directory';
  return name.startsWith(`${MEMBER_DIRECTORY.artifacts}/`) ? 'ignored' : undefined;
}

function fileRole(name: string): MemberRole | undefined {
  if (KNOWN.has(name)) return 'known';
  if (DIRECTORIES.has(name) || name === PARENT_LINK.name) return undefined;
  const slash = name.indexOf('/');
  if (slash === -1) return 'unknown';
  const base = name.slice(slash + 1);
  switch (name.slice(0, slash)) {
    case MEMBER_DIRECTORY.artifacts:
      return 'ignored';
    case MEMBER_DIRECTORY.images:
    case MEMBER_DIRECTORY.preImages:
      return IMAGE_NAME.test(base) ? 'known' : undefined;
    case MEMBER_DIRECTORY.volumes:
      return VOLUME_NAME.test(base) ? 'known' : undefined;
    default:
      return undefined;
  }
}

/** Whether the member is read into memory by whoever uses it. */
export const isCapped = (name: string): boolean => CAPS[name] !== undefined;

/** Some members are read into memory: fails with ARCHIVE_INVALID where one is, or claims to be, too large for that. */
export function checkMemberSize(name: string, size: number): void {
  const cap = CAPS[name];
  if (cap !== undefined && size > cap) {
    invalid(`its member ${quoteName(name)} claims ${size} bytes, and may have ${cap}`);
  }
}
