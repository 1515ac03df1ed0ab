import { run } from '../system/process.ts';
import { removeIptablesChain } from './hold.ts';
import { inNamespace, namespaceExists } from './namespace.ts';

/**
 * Removes the network lock that CRIU leaves in the namespace after a dump that ended the processes: the chain CRIU of
 * iptables or the table CRIU-ID of nftables, both of which drop all packets (CRIU criu/net.c, network_lock_internal).
 * CRIU's restore removes it itself; a start without restore, and a dump that was killed, need this. Idempotent.
 */
export async function clearCriuLock(netns: string): Promise<void> {
  if (!namespaceExists(netns)) return;
  const tables = await run(inNamespace(netns, ['nft', 'list', 'tables', 'inet']));
  const locks = tables.stdout.split('\n').filter((line) => line.startsWith('table inet CRIU-'));
  for (const line of locks) await run(inNamespace(netns, ['nft', 'delete', ...line.split(' ')]));
  for (const family of ['iptables', 'ip6tables'] as const) {
    await removeIptablesChain(netns, family, 'CRIU');
  }
}
