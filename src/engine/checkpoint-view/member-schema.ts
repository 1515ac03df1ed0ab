import * as v from 'valibot';
import { fail, messageOf } from '../../model/errors.ts';
import { parseGoJson } from '../../model/go-json.ts';

const strings = v.optional(v.array(v.string()), []);
const text = v.optional(v.string(), '');

/**
 * Views show archives of any engine, so that less is asked of them here than of one that is to be imported (plan/config-dump/
 * schema.ts). What is read of config.dump (podman libpod/container_config.go; checkpointctl lib/metadata.go).
 */
export const CONFIG_DUMP = v.object({
  id: text,
  name: text,
  rootfsImageID: text,
  rootfsImageName: text,
  /** An OCI runtime's name or path. */
  runtime: text,
  createdTime: text,
  checkpointedTime: text,
  command: strings,
});

/** What is read of spec.dump, and of a container's own config.json (OCI runtime-spec config.md). */
export const SPEC_DUMP = v.object({
  hostname: text,
  process: v.optional(v.object({ args: strings, env: strings, cwd: text }), { args: [], env: [], cwd: '' }),
  mounts: v.optional(
    v.array(v.object({ destination: v.string(), type: text, source: text, options: strings })),
    [],
  ),
  annotations: v.optional(v.record(v.string(), v.string()), {}),
});

export const DELETED_FILES = v.array(v.string());

/** Untrusted JSON of a member. Fails with ARCHIVE_INVALID. */
export function parseMember<const S extends v.GenericSchema>(
  schema: S,
  json: string,
  name: string,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = parseGoJson(json);
  } catch (error) {
    return fail('ARCHIVE_INVALID', { message: `${name} is not JSON: ${messageOf(error)}`, cause: error });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'the top level';
  return fail('ARCHIVE_INVALID', { message: `${name} is malformed at ${where}: ${issue.message}` });
}
