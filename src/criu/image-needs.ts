import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { strayCgroups } from './image-cgroups.ts';
import { type ImageNamespace, NAMESPACE_IDS, sharedNamespaces } from './image-namespaces.ts';
import { riskyNetworkImages } from './image-network.ts';
import { IMAGE_MAGIC, MACHINES, readImage, readImageEntries } from './images.ts';
import { type Message, optional, repeated, required } from './protobuf.ts';
import { seccompOfThreads, type ThreadSeccomp } from './seccomp-filters.ts';
import { type ImageMount, readImageMounts } from './view/mounts.ts';

/** CRIU images/inventory.proto. */
const INVENTORY = { rootIds: optional(3, NAMESPACE_IDS), lsmType: optional(6, 'uint32') };

/** CRIU images/creds.proto; sets of capabilities are words of 32 bits, the lowest first. */
const CREDS = {
  inheritable: repeated(9, 'uint32'),
  permitted: repeated(10, 'uint32'),
  effective: repeated(11, 'uint32'),
  bounding: repeated(12, 'uint32'),
  ambient: repeated(19, 'uint32'),
  lsmProfile: optional(15, 'string'),
  noNewPrivileges: optional(18, 'uint32'),
};

/** CRIU images/core.proto, core-x86.proto: what ties a thread to its host. */
const CORE = {
  mtype: required(1, 'uint32'),
  x86: optional(2, { fpregs: optional(3, { xsave: optional(13, { xstateBv: required(1, 'uint64') }) }) }),
  task: optional(3, {
    state: required(1, 'uint32'),
    seccompMode: optional(11, 'uint32'),
    seccompFilter: optional(12, 'uint32'),
  }),
  thread: optional(5, {
    creds: optional(10, CREDS),
    seccompMode: optional(11, 'uint32'),
    seccompFilter: optional(12, 'uint32'),
  }),
};

/** The state of a process that has ended and waits for its parent (CRIU compel/include/uapi/task-state.h). */
const TASK_DEAD = 2;

const MOUNT_TYPES: Readonly<Record<string, 1 | 2>> = { cgroup: 1, cgroup2: 2 };

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
  /** What the processes may do once they are restored, whatever the container's configuration says. */
  readonly privileges: ImagePrivileges;
  /** All that CRIU would mount. */
  readonly mounts: readonly ImageMount[];
}

export interface ImagePrivileges {
  /** Bits of capabilities (linux/capability.h) that any thread has or can come to have. */
  readonly capabilities: bigint;
  /** A thread has no seccomp filter. */
  readonly unfiltered: boolean;
  /** The seccomp filters that threads have, each set once: what a thread may do is what all of a set let through. */
  readonly filters: readonly (readonly Uint8Array[])[];
  /** A thread may gain privileges by exec. */
  readonly gains: boolean;
  /** Mounts that CRIU would make itself, of file systems that may show what is the host's. */
  readonly mounts: readonly ForeignMount[];
  /** Namespaces that CRIU would not make, so that processes would have the host's. */
  readonly hostNamespaces: readonly ImageNamespace[];
  /** Cgroups outside its own, as `CONTROLLER:PATH`, that the container would get. */
  readonly strayCgroups: readonly string[];
  /** Images of network settings for which CRIU would run programs of the host, and which are not the usual ones. */
  readonly networkImages: readonly string[];
}

export interface ForeignMount {
  readonly type: string;
  readonly source: string;
  readonly destination: string;
}

/**
 * Reads what {@link ImageNeeds} says from the images in `directory`; undefined where no finished dump lies there. Pages
 * need not be there. Fails with IMAGE_INVALID for damaged images.
 */
export async function readImageNeeds(directory: string): Promise<ImageNeeds | undefined> {
  const names = await namesIn(directory);
  if (!names.includes('inventory.img')) return undefined;
  const [inventory] = await readImage(join(directory, 'inventory.img'), IMAGE_MAGIC.inventory, INVENTORY);
  const { privileges, seccomp, tasks, ...threads } = await threadNeeds(directory, names);
  const mounts = await readImageMounts(directory);
  return {
    ...threads,
    privileges: {
      ...privileges,
      ...(await seccompOfThreads(directory, names, seccomp)),
      mounts: foreignMounts(mounts),
      hostNamespaces: await sharedNamespaces(directory, names, inventory?.rootIds, tasks),
      strayCgroups: await strayCgroups(directory, names),
      networkImages: await riskyNetworkImages(directory, names),
    },
    mounts,
    lsm: MODULES[inventory?.lsmType ?? 0] ?? 'none',
    cgroupVersion: cgroupVersion(mounts),
    connections: names.filter((name) => /^tcp-stream-[0-9a-f]+\.img$/.test(name)).length,
    locks: names.includes('filelocks.img')
      ? (await readImageEntries(join(directory, 'filelocks.img'))).entries.length
      : 0,
  };
}

type Privileges = { -readonly [K in 'capabilities' | 'gains']: ImagePrivileges[K] };

async function threadNeeds(
  directory: string,
  names: readonly string[],
): Promise<
  Pick<ImageNeeds, 'machine' | 'xstate' | 'profiles'> & {
    readonly privileges: Privileges;
    readonly seccomp: ReadonlyMap<number, ThreadSeccomp>;
    /** Processes that have not ended. */
    readonly tasks: readonly number[];
  }
> {
  const machines = new Set<number>();
  const profiles = new Set<string>();
  let xstate = 0n;
  const privileges: Privileges = { capabilities: 0n, gains: false };
  const seccomp = new Map<number, ThreadSeccomp>();
  const tasks: number[] = [];
  // One after another: a container may have thousands of threads.
  for (const name of names.filter((each) => /^core-\d+\.img$/.test(each))) {
    for (const core of await readImage(join(directory, name), IMAGE_MAGIC.core, CORE)) {
      machines.add(core.mtype);
      // Only x86 has the XSAVE header; elsewhere the field is not there.
      xstate |= core.x86?.fpregs?.xsave?.xstateBv ?? 0n;
      const profile = core.thread?.creds?.lsmProfile;
      if (profile !== undefined && profile !== '') profiles.add(profile);
      if (core.thread?.creds !== undefined) addCredentials(privileges, core.thread.creds);
      const number = Number(/\d+/.exec(name)?.[0]);
      if (isAlive(core)) seccomp.set(number, seccompOf(core));
      if (isAlive(core) && core.task !== undefined) tasks.push(number);
    }
  }
  // CRIU before 2.0 kept credentials apart, and newer ones still take them from there.
  for (const name of names.filter((each) => /^creds-\d+\.img$/.test(each))) {
    for (const creds of await readImage(join(directory, name), IMAGE_MAGIC.creds, CREDS)) {
      addCredentials(privileges, creds);
    }
  }
  const [machine = 0] = machines;
  return {
    machine: machine === 0 ? undefined : (MACHINES[machine] ?? 'unknown'),
    xstate,
    profiles: [...profiles],
    privileges,
    seccomp,
    tasks,
  };
}

/** Zombies have neither filters nor namespaces; they do nothing any more. */
const isAlive = ({ task, thread }: Message<typeof CORE>): boolean =>
  task === undefined ? thread !== undefined : task.state !== TASK_DEAD;

const seccompOf = ({ task, thread }: Message<typeof CORE>): ThreadSeccomp => ({
  mode: thread?.seccompMode,
  filter: thread?.seccompFilter,
  taskMode: task?.seccompMode,
  taskFilter: task?.seccompFilter,
});

function addCredentials(sum: Privileges, creds: Message<typeof CREDS>): void {
  const { inheritable, permitted, effective, bounding, ambient } = creds;
  for (const words of [inheritable, permitted, effective, bounding, ambient]) {
    for (const [index, word] of words.entries()) sum.capabilities |= BigInt(word) << BigInt(32 * index);
  }
  if ((creds.noNewPrivileges ?? 0) === 0) sum.gains = true;
}

/** What CRIU mounts anew shows nothing but the container's own namespaces, memory and cgroups. */
const CONFINED_TYPES = ['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'];

/** The root, which lies below no other mount, and external mounts are the runtime's to give. */
const foreignMounts = (mounts: readonly ImageMount[]): ForeignMount[] =>
  mounts
    .filter(({ id, parent, type, external, root, destination }) => {
      const isRoot = destination === '/' && !mounts.some((other) => other.id === parent && other.id !== id);
      const isDetour = [root, destination].some((path) => path.split('/').includes('..'));
      return isDetour || !(isRoot || external || CONFINED_TYPES.includes(type));
    })
    .map(({ type, source, destination }) => ({ type, source, destination }));

function cgroupVersion(mounts: readonly ImageMount[]): 1 | 2 | undefined {
  const versions = mounts.flatMap(({ type }) => MOUNT_TYPES[type] ?? []);
  return versions.includes(1) ? 1 : versions[0];
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
