import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { IMAGE_MAGIC, readImage, readImageEntries } from './images.ts';
import { optional, required } from './protobuf.ts';

/** CRIU images/inventory.proto. */
const INVENTORY = { lsmType: optional(6, 'uint32') };

/** CRIU images/core.proto, core-x86.proto and creds.proto: what ties a thread to its host. */
const CORE = {
  mtype: required(1, 'uint32'),
  x86: optional(2, { fpregs: optional(3, { xsave: optional(13, { xstateBv: required(1, 'uint64') }) }) }),
  thread: optional(5, { creds: optional(10, { lsmProfile: optional(15, 'string') }) }),
};

/** core_entry.march (CRIU images/core.proto), in the words of `uname -m`. */
const MACHINES = [
  'unknown',
  'x86_64',
  'arm',
  'aarch64',
  'ppc64le',
  's390x',
  'mips',
  'loongarch64',
  'riscv64',
];

/** lsmtype (CRIU images/inventory.proto). */
const MODULES = ['none', 'selinux', 'apparmor'] as const;

/** What a checkpoint's images ask of the host that restores them. */
export interface ImageNeeds {
  /** In the words of `uname -m`; undefined where the images do not tell. */
  readonly machine: string | undefined;
  /** Bits of the XSAVE components that any thread has in use (Intel SDM vol. 1, 13.1); 0n on other machines. */
  readonly xstate: bigint;
  /** The security module that the host had. */
  readonly lsm: (typeof MODULES)[number];
  /** Its profiles or labels of the processes, each once. */
  readonly profiles: readonly string[];
  /** Established TCP connections. */
  readonly connections: number;
  /** File locks. */
  readonly locks: number;
}

/**
 * Reads what {@link ImageNeeds} says from the images in `directory`; undefined where no finished dump lies there. Pages
 * need not be there. Fails with IMAGE_INVALID for damaged images.
 */
export async function readImageNeeds(directory: string): Promise<ImageNeeds | undefined> {
  const names = await namesIn(directory);
  if (!names.includes('inventory.img')) return undefined;
  const [inventory] = await readImage(join(directory, 'inventory.img'), IMAGE_MAGIC.inventory, INVENTORY);
  const needs = { machines: new Set<number>(), xstate: 0n, profiles: new Set<string>() };
  // One after another: a container may have thousands of threads.
  for (const name of names) {
    if (!/^core-\d+\.img$/.test(name)) continue;
    for (const core of await readImage(join(directory, name), IMAGE_MAGIC.core, CORE)) {
      needs.machines.add(core.mtype);
      // Only x86 has the XSAVE header; elsewhere the field is not there.
      needs.xstate |= core.x86?.fpregs?.xsave?.xstateBv ?? 0n;
      const profile = core.thread?.creds?.lsmProfile;
      if (profile !== undefined && profile !== '') needs.profiles.add(profile);
    }
  }
  const [machine = 0] = needs.machines;
  return {
    machine: machine === 0 ? undefined : (MACHINES[machine] ?? 'unknown'),
    xstate: needs.xstate,
    lsm: MODULES[inventory?.lsmType ?? 0] ?? 'none',
    profiles: [...needs.profiles],
    connections: names.filter((name) => /^tcp-stream-[0-9a-f]+\.img$/.test(name)).length,
    locks: names.includes('filelocks.img')
      ? (await readImageEntries(join(directory, 'filelocks.img'))).entries.length
      : 0,
  };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
