import * as v from 'valibot';
import { fail } from '../model/errors.ts';

/** No name, version or flag list of a host is longer. */
const text = v.pipe(v.string(), v.maxLength(200));
const flag = v.pipe(v.string(), v.maxLength(40));

const schema = v.object({
  version: v.literal(1),
  /** Version of the cryopod that wrote the archive. */
  cryopod: text,
  /** ISO 8601. */
  created: text,
  host: v.object({
    /** `uname -r` */
    kernel: text,
    /** In Go's words: amd64, arm64 … */
    architecture: text,
    /** Flags as /proc/cpuinfo names them (x86: flags, arm64: Features). */
    cpu: v.object({ model: text, flags: v.pipe(v.array(flag), v.maxLength(1000)) }),
    /** ID and VERSION_ID of os-release(5). */
    distribution: v.object({ id: text, version: text }),
    cgroupVersion: v.picklist([1, 2]),
  }),
  /** Its name as chosen (`runc`), and version number. */
  runtime: v.object({ name: text, version: text }),
  criu: v.object({ version: text }),
  conmon: v.object({ version: text }),
  /** Identity of the pre-checkpoint without which this checkpoint is not whole. */
  previous: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/))),
});

/** Content of an archive's cryopod.json: the host and the programs that made the checkpoint. */
export type ArchiveFacts = v.InferOutput<typeof schema>;

/** Bytes; a larger file is refused unread. */
export const MAX_FACTS_BYTES = 256 << 10;

export const formatArchiveFacts = (facts: ArchiveFacts): string => `${JSON.stringify(facts)}\n`;

/** Reads untrusted cryopod.json back; fields of later versions are left out. Fails with ARCHIVE_INVALID. */
export function parseArchiveFacts(json: string): ArchiveFacts {
  const refuse = (why: string): never =>
    fail('ARCHIVE_INVALID', { message: `cryopod.json of the archive cannot be used: ${why}` });
  if (json.length > MAX_FACTS_BYTES) return refuse('it is too large');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return refuse('it is not JSON');
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  return refuse(`${v.getDotPath(issue) ?? 'it'}: ${issue.message}`);
}
