import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { fail, messageOf } from '../model/errors.ts';
import type { ArchiveSums, MemberDigest } from './members.ts';
import { quoteName } from './tar-reader.ts';

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not a SHA-256'));
const sums = v.object({
  version: v.picklist([1, 2]),
  members: v.array(
    v.object({
      name: v.string(),
      size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
      sha256: v.optional(sha256),
    }),
  ),
  sha256,
});

const invalid = (message: string): never => fail('ARCHIVE_INVALID', { message });

/** Reads the content of cryopod.sums. Fails with ARCHIVE_INVALID. */
export function parseSums(json: string): ArchiveSums {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return invalid(`its sums are not JSON: ${messageOf(error)}`);
  }
  const result = v.safeParse(sums, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  return invalid(`its sums are malformed at ${v.getDotPath(issue) ?? 'the top level'}: ${issue.message}`);
}

/** The digest of the whole, as {@link ArchiveSums} defines it. */
export function digestOfMembers(members: readonly MemberDigest[]): string {
  const hash = createHash('sha256');
  for (const { sha256, size, name } of members) hash.update(`${sha256 ?? '-'}  ${size}  ${name}\n`);
  return hash.digest('hex');
}

/** Holds the members that were read against the sums. Fails with ARCHIVE_INVALID and names the first that differs. */
export function checkSums(expected: ArchiveSums, members: readonly MemberDigest[]): void {
  for (const [at, member] of members.entries()) {
    const sum = expected.members[at];
    if (sum?.name !== member.name)
      invalid(`its member ${quoteName(member.name)} is not where its sums have it`);
    if (sum?.size !== member.size || (sum.sha256 !== undefined && sum.sha256 !== member.sha256)) {
      invalid(`its member ${quoteName(member.name)} does not have the content that its sums tell`);
    }
  }
  const missing = expected.members[members.length];
  if (missing !== undefined) invalid(`it lacks the member ${quoteName(missing.name)} that its sums tell of`);
  if (expected.sha256 !== digestOfMembers(expected.members)) invalid('the sum of its sums is wrong');
}
