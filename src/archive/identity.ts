import * as v from 'valibot';
import { fail } from '../model/errors.ts';

const hex = (digits: number) => v.pipe(v.string(), v.regex(/^[0-9a-f]+$/), v.length(digits));

const schema = v.object({
  version: v.literal(1),
  /** Random: no two pre-checkpoints have the same. */
  id: hex(32),
  /** ID of the container whose memory it holds. */
  container: hex(64),
  /** ISO 8601. */
  created: v.pipe(v.string(), v.maxLength(40)),
});

/** Says which pre-checkpoint it is: a checkpoint needs exactly the one that it was made after, or memory comes back wrong. */
export type PreCheckpointIdentity = v.InferOutput<typeof schema>;

/** Name of the file with it, beside CRIU's images of the pre-checkpoint. */
export const IDENTITY_FILE = 'cryopod-identity.json';

/** Bytes; a larger file is refused unread. */
export const MAX_IDENTITY_BYTES = 4096;

export const formatIdentity = ({ version, id, container, created }: PreCheckpointIdentity): string =>
  `${JSON.stringify({ version, id, container, created })}\n`;

/** Reads untrusted identities back. Fails with ARCHIVE_INVALID. */
export function parseIdentity(json: string): PreCheckpointIdentity {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = undefined;
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  return fail('ARCHIVE_INVALID', { message: `${IDENTITY_FILE} of the pre-checkpoint cannot be read` });
}
