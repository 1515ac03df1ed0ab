import { fail } from '../model/errors.ts';
import { run } from '../system/process.ts';

/**
 * CRIU keeps packets away from each connection of a container without a network namespace of its own by rules in the
 * host's tables (CRIU criu/netfilter.c, nf_connection_switch); its restore takes them away. When the checkpoint is given
 * up instead, they would stay for good.
 */
const LOCK = /^-A (?:INPUT|OUTPUT) .*-m mark ! --mark 0xc114 .*-j DROP$/i;

/** Two ends as `ADDRESS:PORT`, IPv6 addresses in brackets. */
export interface LockedConnection {
  readonly local: string;
  readonly remote: string;
}

interface End {
  readonly address: string;
  readonly port: string;
}

function endOf(text: string): End {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: text.slice(colon + 1) };
}

/** True for a rule from one end to the other, in either direction. */
function concerns(rule: string, connection: LockedConnection): boolean {
  const ends = [endOf(connection.local), endOf(connection.remote)] as const;
  return [ends, ends.toReversed()].some(([from, to]) => {
    if (from === undefined || to === undefined) return false;
    const words = [
      `-s ${from.address}/`,
      `-d ${to.address}/`,
      `--sport ${from.port} `,
      `--dport ${to.port} `,
    ];
    return words.every((word) => rule.includes(word));
  });
}

/** Removes the locks of these connections from the network namespace that this process is in. Idempotent. */
export async function clearConnectionLocks(connections: readonly LockedConnection[]): Promise<void> {
  if (connections.length === 0) return;
  for (const family of ['iptables', 'ip6tables'] as const) {
    const { stdout } = await run([family, '-w', '-S']);
    const rules = stdout.split('\n').filter((rule) => LOCK.test(rule));
    for (const rule of rules.filter((line) => connections.some((connection) => concerns(line, connection)))) {
      const removed = await run([family, '-w', ...rule.replace(/^-A/, '-D').split(' ')]);
      if (!removed.ok) {
        fail('NETWORK_FAILED', {
          message: `could not remove CRIU's lock "${rule}": ${removed.stderr.trim()}`,
        });
      }
    }
  }
}
