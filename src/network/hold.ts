import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { fail } from '../model/errors.ts';
import { type RunResult, run } from '../system/process.ts';
import { inNamespace, namespaceExists } from './namespace.ts';

const TABLE = 'inet cryopod_hold';
const CHAIN = 'CRYOPOD_HOLD';

/**
 * lo stays open: over it also come the packets that CRIU puts into a half-closed connection's socket when it restores
 * it. Without answers to neighbour discovery an IPv6 client would be told "host unreachable"; ARP is outside of these
 * filters. The priority is that of raw (-300): dropped before connection tracking sees a packet without a socket.
 */
const chain = (hook: 'input' | 'output', loopback: string): string => `
  chain ${hook} {
    type filter hook ${hook} priority -300; policy drop;
    ${loopback} "lo" accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }`;

/** Adding before deleting makes both scripts right whether the table is there or not; nft applies a file as a whole. */
const RELEASE_SCRIPT = `add table ${TABLE}\ndelete table ${TABLE}\n`;
const HOLD_SCRIPT = `${RELEASE_SCRIPT}table ${TABLE} {${chain('input', 'iifname')}${chain('output', 'oifname')}\n}\n`;

/** Attempts to connect from outside: SYN without ACK. What comes over lo, and what goes out, belongs to the container itself. */
const NO_NEW_SCRIPT = `${RELEASE_SCRIPT}table ${TABLE} {
  chain input {
    type filter hook input priority -300; policy accept;
    iifname != "lo" tcp flags & (syn | ack) == syn drop
  }
}
`;

const nft = (netns: string, script: string): Promise<RunResult> =>
  run(inNamespace(netns, ['nft', '-f', '-']), { input: script });

/** nsenter runs the program: its exit status 127 says that nft is missing, 126 that it cannot be executed. */
const programMissing = (result: RunResult): boolean =>
  result.missing || result.code === 127 || result.code === 126;

/**
 * Makes the network namespace silent: every packet from and to outside is dropped, and nothing is refused (no RST, no
 * ICMP error), while addresses and links stay. A peer of an established connection goes on retransmitting, and is
 * answered after {@link releaseNetwork}. lo goes on. Idempotent and atomic. CRIU's own lock, which also drops, lives
 * beside it and is taken away by CRIU's restore alone; this hold remains until it is released. Fails with
 * NETWORK_FAILED.
 */
export const holdNetwork = (netns: string): Promise<void> =>
  holdWith(netns, HOLD_SCRIPT, (family) => [
    '-i lo -j ACCEPT',
    '-o lo -j ACCEPT',
    ...(family === 'ip6tables' ? DISCOVERY : []),
    '-j DROP',
  ]);

/**
 * Drops attempts to open a TCP connection from outside, which their kernels repeat after a second; all else goes on. One
 * of this and {@link holdNetwork} is in force: the later call replaces the earlier. Idempotent and atomic. Fails with
 * NETWORK_FAILED.
 */
export const holdNewConnections = (netns: string): Promise<void> =>
  holdWith(netns, NO_NEW_SCRIPT, () => ['! -i lo -p tcp --syn -j DROP']);

/** `rules`: the same for iptables, without the chain. */
async function holdWith(
  netns: string,
  script: string,
  rules: (family: (typeof FAMILIES)[number]) => readonly string[],
): Promise<void> {
  const result = await nft(netns, script);
  if (programMissing(result)) return holdWithIptables(netns, rules);
  if (!result.ok) failHold('hold', netns, result);
}

/** Ends either hold. Idempotent and atomic; a namespace that is gone counts as released. */
export async function releaseNetwork(netns: string): Promise<void> {
  if (!namespaceExists(netns)) return;
  const result = await nft(netns, RELEASE_SCRIPT);
  if (programMissing(result)) return releaseWithIptables(netns);
  if (!result.ok) failHold('release', netns, result);
}

/** What ends a hold at a word. One of both is called, at the end. */
export interface ReadyRelease {
  /** As {@link releaseNetwork}. */
  readonly release: () => Promise<void>;
  /** The hold stays. */
  readonly cancel: () => Promise<void>;
}

/**
 * Starts the program that ends a hold before it is needed: packets wait for its end, so its start is done with earlier. When
 * this process dies the hold stays.
 */
export function readyRelease(netns: string): ReadyRelease {
  let input: Writable | null = null;
  const onSpawn = ({ stdin }: ChildProcess): void => {
    input = stdin;
    // A program that ends without reading breaks this pipe; its exit status tells the story.
    stdin?.on('error', () => undefined);
  };
  const ending = run(inNamespace(netns, ['nft', '-f', '-']), { stdin: 'pipe', onSpawn });
  const end = (script: string): Promise<RunResult> => {
    input?.end(script);
    return ending;
  };
  return {
    release: async () => {
      if (!(await end(RELEASE_SCRIPT)).ok) await releaseNetwork(netns);
    },
    cancel: async () => {
      await end('');
    },
  };
}

/** True while either hold is in force in the namespace. */
export async function isHeld(netns: string): Promise<boolean> {
  if (!namespaceExists(netns)) return false;
  const result = await run(inNamespace(netns, ['nft', 'list', 'table', ...TABLE.split(' ')]));
  if (!programMissing(result)) return result.ok;
  return (await run(inNamespace(netns, ['iptables', '-w', '-n', '-L', CHAIN]))).ok;
}

/** The iptables tools of IPv4 and IPv6. A host without IPv6 fails the second one, and has nothing to hold there. */
const FAMILIES = ['iptables', 'ip6tables'] as const;

const DISCOVERY = ['neighbour-solicitation', 'neighbour-advertisement'].map(
  (type) => `-p icmpv6 --icmpv6-type ${type} -j ACCEPT`,
);

/** `--noflush` leaves other chains alone; naming the chain makes it anew and empty; one COMMIT is one transaction. */
async function holdWithIptables(netns: string, rules: Parameters<typeof holdWith>[2]): Promise<void> {
  for (const family of FAMILIES) {
    const { stdout } = await run(inNamespace(netns, [family, '-w', '-S']));
    const missing = ['INPUT', 'OUTPUT'].filter((hook) => !stdout.includes(`-A ${hook} -j ${CHAIN}\n`));
    const lines = [
      '*filter',
      `:${CHAIN} - [0:0]`,
      ...missing.map((hook) => `-I ${hook} -j ${CHAIN}`),
      ...rules(family).map((rule) => `-A ${CHAIN} ${rule}`),
      'COMMIT',
      '',
    ];
    const input = lines.join('\n');
    const result = await run(inNamespace(netns, [`${family}-restore`, '-w', '--noflush']), { input });
    if (!result.ok && family === 'iptables') failHold('hold', netns, result);
  }
}

async function releaseWithIptables(netns: string): Promise<void> {
  for (const family of FAMILIES) await removeIptablesChain(netns, family, CHAIN);
}

/** Removes a chain of the filter table and every jump to it from INPUT and OUTPUT. Idempotent. */
export async function removeIptablesChain(
  netns: string,
  family: (typeof FAMILIES)[number],
  name: string,
): Promise<void> {
  const listed = await run(inNamespace(netns, [family, '-w', '-S']));
  if (!listed.ok || !listed.stdout.includes(`-N ${name}\n`)) return;
  const jumps = listed.stdout
    .split('\n')
    .filter((line) => line.startsWith('-A ') && line.endsWith(` -j ${name}`))
    .map((line) => line.replace(/^-A /, '-D '));
  const steps = [...jumps, `-F ${name}`].join('\n');
  const restore = (body: string): Promise<RunResult> =>
    run(inNamespace(netns, [`${family}-restore`, '-w', '--noflush']), {
      input: `*filter\n${body}\nCOMMIT\n`,
    });
  // iptables-nft refuses to delete a chain in the transaction that removes the last jump to it.
  for (const result of [await restore(steps), await restore(`-X ${name}`)]) {
    if (!result.ok) failHold('unlock', netns, result);
  }
}

function failHold(what: 'hold' | 'release' | 'unlock', netns: string, result: RunResult): never {
  fail('NETWORK_FAILED', {
    message: `could not ${what} the network of ${netns}: ${result.stderr.trim() || result.command.join(' ')}`,
    hint: 'Install nftables (or iptables) and check that the kernel has nf_tables.',
  });
}
