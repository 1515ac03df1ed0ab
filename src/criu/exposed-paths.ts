import type { ImageMount } from './view/mounts.ts';

/** What images leave open of the kernel's files. */
export interface Exposure {
  /** Paths that should be hidden and can be seen. */
  readonly visible: readonly string[];
  /** Paths that should be read-only and can be written to. */
  readonly writable: readonly string[];
}

/** Where the kernel's file systems lie in every container. */
const PLACES: readonly (readonly [directory: string, type: string])[] = [
  ['/proc', 'proc'],
  ['/sys', 'sysfs'],
];

/**
 * Which of these paths below /proc and /sys the processes would reach, wherever the images have mounted proc or sysfs.
 * CRIU makes the mounts that hide and protect them only where the images have them. Pure.
 */
export function exposedPaths(
  mounts: readonly ImageMount[],
  paths: { readonly masked: readonly string[]; readonly readOnly: readonly string[] },
): Exposure {
  const reaches = (path: string, counts: (mount: ImageMount) => boolean): boolean =>
    PLACES.some(
      ([directory, type]) =>
        isWithin(path, directory) &&
        mounts.some(
          (mount) =>
            mount.type === type && counts(mount) && shows(mounts, mount, path.slice(directory.length) || '/'),
        ),
    );
  return {
    visible: paths.masked.filter((path) => reaches(path, () => true)),
    writable: paths.readOnly.filter((path) => reaches(path, (mount) => !mount.readOnly)),
  };
}

/** Whether a mount shows this path of its file system, or something below it, and no other mount lies on it. */
function shows(mounts: readonly ImageMount[], mount: ImageMount, path: string): boolean {
  const { root, destination } = mount;
  const isSeen = isWithin(path, root);
  if (!isSeen && !isWithin(root, path)) return false;
  const place = isSeen ? join(destination, path.slice(root === '/' ? 0 : root.length)) : destination;
  return !mounts.some(
    (other) =>
      other.parent === mount.id &&
      other.id !== mount.id &&
      isWithin(place, other.destination) &&
      isWithin(other.destination, destination),
  );
}

/**
 * Mounts that no list tells apart: of the same number, or on the same directory of the same mount. Containers have none;
 * which one of them hides the other would be CRIU's choice.
 */
export function ambiguousMounts(mounts: readonly ImageMount[]): ImageMount[] {
  const seen = new Set<string>();
  return mounts.filter(({ id, parent, destination }) => {
    const keys = [`${id}`, `${parent} ${destination}`];
    const isKnown = keys.some((key) => seen.has(key));
    for (const key of keys) seen.add(key);
    return isKnown;
  });
}

const isWithin = (path: string, directory: string): boolean =>
  directory === '/' || path === directory || path.startsWith(`${directory}/`);

const join = (directory: string, rest: string): string =>
  `${directory === '/' ? '' : directory}${rest}`.replace(/(?<=.)\/$/, '');
