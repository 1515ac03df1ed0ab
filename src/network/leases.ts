import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import { bootId } from '../system/procfs.ts';
import { netavarkDirectory, type StorePaths } from '../system/store-paths.ts';
import { assignAddresses, type TakenAddresses } from './ipam.ts';

/*
 * Between choosing an address and recording it in a container's state another command can choose too. A lease closes
 * that gap: a file named by the address that only one process can create. Leases are volatile; those of an earlier boot
 * lie in a directory of another name and count for nothing.
 */

/** Holds the addresses given out last, one a line, so that a released one is not given out again at once. */
const LAST_FILE = 'last';

const leasesDirectory = (store: StorePaths): string => join(netavarkDirectory(store), 'leases', bootId());
const leaseDirectory = (store: StorePaths, network: Network): string =>
  join(leasesDirectory(store), network.id);

/**
 * Chooses and leases one address for each subnet of the network: the asked ones, else free ones. `taken` are addresses
 * known to be in use from records. Fails with ADDRESS_IN_USE, and then leases nothing.
 */
export async function leaseAddresses(
  store: StorePaths,
  network: Network,
  id: string,
  asked: readonly string[],
  taken: TakenAddresses,
): Promise<string[]> {
  const directory = leaseDirectory(store, network);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (;;) {
    const leased = await readLeases(directory);
    const others = new Map([...leased, ...taken].filter(([, owner]) => owner !== id));
    const last = (await readIfThere(join(directory, LAST_FILE))).split('\n');
    const chosen = assignAddresses(network, asked, others, last);
    if (await createLeases(directory, chosen, id)) {
      if (asked.length === 0) await writeFile(join(directory, LAST_FILE), chosen.join('\n'));
      return chosen;
    }
  }
}

/** Gives the addresses back. Idempotent; leases of other containers are left alone. */
export async function releaseLeases(store: StorePaths, network: Network, id: string): Promise<void> {
  const directory = leaseDirectory(store, network);
  for (const [address, owner] of await readLeases(directory)) {
    if (owner === id) await rm(join(directory, address), { force: true });
  }
}

/** Gives back what a container holds in any network of this boot. Idempotent. */
export async function releaseAllLeases(store: StorePaths, id: string): Promise<void> {
  for (const networkId of await listIfThere(leasesDirectory(store))) {
    const directory = join(leasesDirectory(store), networkId);
    for (const [address, owner] of await readLeases(directory)) {
      if (owner === id) await rm(join(directory, address), { force: true });
    }
  }
}

/** All or nothing: false when another process was faster with one of the addresses. */
async function createLeases(directory: string, addresses: readonly string[], id: string): Promise<boolean> {
  const created: string[] = [];
  for (const address of addresses) {
    const path = join(directory, address);
    try {
      await writeFile(path, id, { flag: 'wx', mode: 0o600 });
      created.push(path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      if ((await readIfThere(path)) === id) continue;
      await Promise.all(created.map((lease) => rm(lease, { force: true })));
      return false;
    }
  }
  return true;
}

async function readLeases(directory: string): Promise<Map<string, string>> {
  const names = (await listIfThere(directory)).filter((name) => name !== LAST_FILE);
  const owners = await Promise.all(names.map((name) => readIfThere(join(directory, name))));
  return new Map(names.map((name, i) => [name, owners[i] ?? '']));
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

async function listIfThere(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
