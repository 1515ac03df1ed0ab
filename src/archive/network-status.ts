import * as v from 'valibot';
import { fail, messageOf } from '../model/errors.ts';
import { parseGoJson } from '../model/go-json.ts';
import type { NetworkStatus } from '../model/network.ts';

const text = v.pipe(v.string(), v.maxLength(255));
const texts = v.pipe(v.array(text), v.maxLength(100));
const prefixed = v.pipe(
  v.string(),
  v.regex(/^[0-9a-fA-F.:]{2,45}\/\d{1,3}$/, 'not an address with its prefix'),
);

/** network.status: netavark's StatusBlock by network (podman libpod/network/types). */
const schema = v.record(
  text,
  v.object({
    dns_search_domains: v.exactOptional(texts),
    dns_server_ips: v.exactOptional(texts),
    interfaces: v.optional(
      v.record(
        text,
        v.object({
          mac_address: v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, 'not a MAC address')),
          subnets: v.optional(
            v.pipe(v.array(v.object({ ipnet: prefixed, gateway: v.exactOptional(text) })), v.maxLength(100)),
            [],
          ),
        }),
      ),
      {},
    ),
  }),
);

/** Reads untrusted network.status. Fails with ARCHIVE_INVALID. */
export function parseNetworkStatus(json: string): Readonly<Record<string, NetworkStatus>> {
  let value: unknown;
  try {
    value = parseGoJson(json) ?? {};
  } catch (error) {
    return fail('ARCHIVE_INVALID', {
      message: `network.status is not JSON: ${messageOf(error)}`,
      cause: error,
    });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'the top level';
  return fail('ARCHIVE_INVALID', { message: `network.status is malformed at ${where}: ${issue.message}` });
}
