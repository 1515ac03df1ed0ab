import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { IMAGE_MAGIC, MACHINES, readImage, readImageEntries } from './images.ts';
import { optional, required } from './protobuf.ts';

/** CRIU images/inventory.proto. */
const INVENTORY = { lsmType: optional(6, 'uint32') };

/** CRIU images/core.proto, core-x86.proto and creds.proto: what ties a thread to its host. */
const CORE = {
  mtype: required(1, 'uint32'),
  x86: optional(2, { fpregs: optional(3, { xsave: optional(13, { xstateBv: required(1, 'uint64') }) }) }),
  thread: optional(5, { creds: optional(10, { lsmProfile: optional(15, 'string') }) }),
};

/** CRIU images/mnt.proto, with the numbers of its fstype. */
const MOUNT = { type: required(1, 'uint32') };
const MOUNT_TYPES: Readonly<Record<number, 1 | 2>> = { 12: 1, 23: 2 };

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
  /** Version of the cgroup file systems that the container has mounted; undefined where it has none. */
  readonly cgroupVersion: 1 | 2 | undefined;
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
  const threads = await threadNeeds(directory, names);
  return {
    ...threads,
    lsm: MODULES[inventory?.lsmType ?? 0] ?? 'none',
    cgroupVersion: await cgroupVersion(directory, names),
    connections: names.filter((name) => /^tcp-stream-[0-9a-f]+\.img$/.test(name)).length,
    locks: names.includes('filelocks.img')
      ? (await readImageEntries(join(directory, 'filelocks.img'))).entries.length
      : 0,
  };
}

async function threadNeeds(
  directory: string,
  names: readonly string[],
): Promise<Pick<ImageNeeds, 'machine' | 'xstate' | 'profiles'>> {
  const machines = new Set<number>();
  const profiles = new Set<string>();
  let xstate = 0n;
  // One after another: a container may have thousands of threads.
  for (const name of names.filter((each) => /^core-\d+\.img$/.test(each))) {
    for (const core of await readImage(join(directory, name), IMAGE_MAGIC.core, CORE)) {
      machines.add(core.mtype);
      // Only x86 has the XSAVE header; elsewhere the field is not there.
      xstate |= core.x86?.fpregs?.xsave?.xstateBv ?? 0n;
      const profile = core.thread?.creds?.lsmProfile;
      if (profile !== undefined && profile !== '') profiles.add(profile);
    }
  }
  const [machine = 0] = machines;
  return {
    machine: machine === 0 ? undefined : (MACHINES[machine] ?? 'unknown'),
    xstate,
    profiles: [...profiles],
  };
}

async function cgroupVersion(directory: string, names: readonly string[]): Promise<1 | 2 | undefined> {
  for (const name of names.filter((each) => /^mountpoints-\d+\.img$/.test(each))) {
    const mounts = await readImage(join(directory, name), IMAGE_MAGIC.mounts, MOUNT);
    const versions = mounts.flatMap(({ type }) => MOUNT_TYPES[type] ?? []);
    if (versions.length > 0) return versions.includes(1) ? 1 : 2;
  }
  return undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
