import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { IMAGE_MAGIC, readImage } from '../images.ts';
import { optional, required } from '../protobuf.ts';

/** CRIU images/mnt.proto. */
const MOUNT = {
  type: required(1, 'uint32'),
  id: required(2, 'uint32'),
  parent: required(4, 'uint32'),
  flags: required(5, 'uint32'),
  root: required(6, 'string'),
  mountpoint: required(7, 'string'),
  source: required(8, 'string'),
  options: required(9, 'string'),
  external: optional(13, 'bool'),
  externalKey: optional(18, 'string'),
  typeName: optional(14, 'string'),
  superblockFlags: optional(17, 'uint32'),
};

/** MS_RDONLY (linux/mount.h) */
const READ_ONLY = 1;

/** fstype of the same file. */
const TYPES: readonly string[] = [
  '',
  'proc',
  'sysfs',
  'devtmpfs',
  'binfmt_misc',
  'tmpfs',
  'devpts',
  'simfs',
  'pstore',
  'securityfs',
  'fusectl',
  'debugfs',
  'cgroup',
  'aufs',
  'mqueue',
  'fuse',
  'auto',
  'overlay',
  'autofs',
  'tracefs',
  '',
  '',
  '',
  'cgroup2',
];

/** CRIU images/utsns.proto. */
const UTS = { nodename: required(1, 'string'), domainname: required(2, 'string') };

/** What was mounted when the processes were frozen. */
export interface MountPoint {
  /** Numbers that tell the tree: of the mount, and of the one that it lies on. */
  readonly id: number;
  readonly parent: number;
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  /** The part of the source's file system that is seen. */
  readonly root: string;
  readonly options: string;
  /** It comes from outside the container. */
  readonly external: boolean;
}

/** The same with what says how CRIU makes it. */
export interface ImageMount extends MountPoint {
  readonly readOnly: boolean;
  /** Of a mount from outside: what the runtime knows it by, which is its destination in the configuration. */
  readonly key: string | undefined;
}

/** Mounts of all mount namespaces in the images (mountpoints-N.img), to be shown. Fails with IMAGE_INVALID. */
export const readMountPoints = async (directory: string): Promise<MountPoint[]> =>
  (await readImageMounts(directory)).map(({ readOnly: _, key: _key, ...mount }) => mount);

/** Mounts of all mount namespaces in the images (mountpoints-N.img). Fails with IMAGE_INVALID. */
export async function readImageMounts(directory: string): Promise<ImageMount[]> {
  const mounts: ImageMount[] = [];
  for (const name of await imagesNamed(directory, /^mountpoints-\d+\.img$/)) {
    for (const mount of await readImage(join(directory, name), IMAGE_MAGIC.mounts, MOUNT)) {
      mounts.push({
        id: mount.id,
        parent: mount.parent,
        destination: absolute(mount.mountpoint),
        type: TYPES[mount.type] || (mount.typeName ?? ''),
        source: mount.source,
        root: mount.root,
        options: mount.options,
        external: mount.external === true || isGiven(mount.externalKey),
        // Without flags of the superblock CRIU takes this one as the superblock's (criu/mount.c collect_mnt_from_image).
        readOnly: mount.superblockFlags !== undefined && (mount.flags & READ_ONLY) !== 0,
        key: mount.externalKey,
      });
    }
  }
  return mounts;
}

/** The runtime gives what a key names; CRIU looks by itself for what the keys of its own say (CRIU criu/include/mount.h). */
const isGiven = (key: string | undefined): boolean => key !== undefined && !key.startsWith('CRIU:');

/** The container's host name (utsns-N.img); undefined where it shares the host's. Fails with IMAGE_INVALID. */
export async function readHostname(directory: string): Promise<string | undefined> {
  const [name] = await imagesNamed(directory, /^utsns-\d+\.img$/);
  if (name === undefined) return undefined;
  const [uts] = await readImage(join(directory, name), IMAGE_MAGIC.uts, UTS, 4096);
  return uts?.nodename;
}

/** CRIU writes `./dev`; older versions `/dev`. */
const absolute = (path: string): string => path.replace(/^\.?\/?/, '/');

const imagesNamed = async (directory: string, pattern: RegExp): Promise<string[]> =>
  (await readdir(directory)).filter((name) => pattern.test(name)).toSorted();
