import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { fail } from '../model/errors.ts';
import { run } from '../system/process.ts';
import { netnsPath, type StorePaths } from '../system/store-paths.ts';
import { inNamespace, namespaceExists } from './namespace.ts';

const TABLES = ['arp cryopod_silence', 'inet cryopod_silence'] as const;

const chain = (hook: 'input' | 'output', more = ''): string => `
  chain ${hook} {
    type filter hook ${hook} priority -300; policy drop;
    ${more}
  }`;

/** Adding before deleting makes both scripts right whether the tables are there or not; nft applies a file as a whole. */
const END_SCRIPT = TABLES.map((table) => `add table ${table}\ndelete table ${table}\n`).join('');
const SCRIPT = `${END_SCRIPT}
table ${TABLES[0]} {${chain('input')}${chain('output')}
}
table ${TABLES[1]} {${chain('input', 'iifname "lo" accept')}${chain('output', 'oifname "lo" accept')}
}
`;

/** Says that a namespace is silent, so that who takes it into use again need not ask nft. */
const markOf = (store: StorePaths, id: string): string => `${netnsPath(store, id)}.silent`;

/**
 * Makes a container's namespace say nothing at all to its links: unlike under a hold (hold.ts), nobody there answers ARP
 * or neighbour discovery, so that another host can have the address, and nothing tells switches where the link is.
 * Addresses, routes and links stay as they are; links that come later are silent too. lo goes on. Idempotent and atomic.
 * Fails with NETWORK_FAILED.
 */
export async function silenceNetwork(store: StorePaths, id: string): Promise<void> {
  await writeFile(markOf(store, id), '');
  await nft(netnsPath(store, id), SCRIPT, 'silence');
}

/** Ends {@link silenceNetwork}; a hold stays. Idempotent; cheap where the network is not silent. */
export async function endSilence(store: StorePaths, id: string): Promise<void> {
  if (!isSilent(store, id)) return;
  const netns = netnsPath(store, id);
  if (namespaceExists(netns)) await nft(netns, END_SCRIPT, 'end the silence of');
  await forgetSilence(store, id);
}

/** True from {@link silenceNetwork} until {@link endSilence}. */
export const isSilent = (store: StorePaths, id: string): boolean => existsSync(markOf(store, id));

/** The namespace is gone, and its silence with it. Idempotent. */
export const forgetSilence = (store: StorePaths, id: string): Promise<void> =>
  rm(markOf(store, id), { force: true });

async function nft(netns: string, input: string, doing: string): Promise<void> {
  const result = await run(inNamespace(netns, ['nft', '-f', '-']), { input });
  if (result.ok) return;
  fail('NETWORK_FAILED', {
    message: `could not ${doing} the network of ${netns}: ${result.stderr.trim() || 'nft is not installed'}`,
    hint: 'Install nftables and check that the kernel has nf_tables with the family arp (CONFIG_NF_TABLES_ARP).',
  });
}
