import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import type { MemberEntry } from '../../archive/types.ts';

/** Behind the name of a tree's member: the paths that are no more, a NUL byte behind each. */
export const REMOVED_SUFFIX = '.removed';

/** Behind the members of a round: what they are to be, as in an archive's sums. */
export const ROUND_SUMS = 'round-sums';

/** Name of the directory that ends a round; nothing is in it. */
export const ROUND_END = 'round-end';

/** What a member of a round is for. */
export type RoundMember =
  | { readonly kind: 'end' | 'sums' }
  | { readonly kind: 'files' | 'removed'; readonly tree: string }
  | { readonly kind: 'memory'; readonly name: string };

const TREE = new RegExp(
  `^(?:${MEMBER.rootfsDiff.replaceAll('.', '\\.')}|${MEMBER_DIRECTORY.volumes}/[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}\\.tar)$`,
);
/** Names of CRIU's images. */
const MEMORY = new RegExp(`^${MEMBER_DIRECTORY.preImages}/([A-Za-z0-9][A-Za-z0-9._-]{0,200})$`);

/** Finds what a member, which may be hostile, stands for; undefined for one that no round has. Pure. */
export function roundMember({ kind, name }: Pick<MemberEntry, 'kind' | 'name'>): RoundMember | undefined {
  if (kind !== 'file') return kind === 'directory' && name === ROUND_END ? { kind: 'end' } : undefined;
  if (name === ROUND_SUMS) return { kind: 'sums' };
  if (TREE.test(name)) return { kind: 'files', tree: name };
  const tree = name.endsWith(REMOVED_SUFFIX) ? name.slice(0, -REMOVED_SUFFIX.length) : '';
  if (TREE.test(tree)) return { kind: 'removed', tree };
  const memory = MEMORY.exec(name)?.[1];
  return memory === undefined ? undefined : { kind: 'memory', name: memory };
}
