import { join } from 'node:path';
import { IMAGE_MAGIC, readImage } from './images.ts';
import { type Message, optional } from './protobuf.ts';

/** CRIU images/core.proto task_kobj_ids_entry: numbers for namespaces; tasks of the same have the same. */
export const NAMESPACE_IDS = {
  pid: optional(5, 'uint32'),
  network: optional(6, 'uint32'),
  ipc: optional(7, 'uint32'),
  uts: optional(8, 'uint32'),
  mount: optional(9, 'uint32'),
  cgroup: optional(11, 'uint32'),
} as const;

type Ids = Message<typeof NAMESPACE_IDS>;
export type ImageNamespace = keyof typeof NAMESPACE_IDS;

export const IMAGE_NAMESPACES: readonly ImageNamespace[] = [
  'mount',
  'pid',
  'network',
  'ipc',
  'uts',
  'cgroup',
];

/**
 * The namespaces in which processes would be together with CRIU itself: it makes only those whose number differs from the
 * one that it had at the dump (CRIU criu/pstree.c get_clone_mask), which stands as `root` in inventory.img. All of them
 * where an image lacks the numbers: CRIU itself counts missing ones as equal. `tasks` are the processes alive, by their
 * core images. Fails with IMAGE_INVALID.
 */
export async function sharedNamespaces(
  directory: string,
  names: readonly string[],
  root: Ids | undefined,
  tasks: readonly number[],
): Promise<ImageNamespace[]> {
  if (root === undefined || !tasks.every((task) => names.includes(`ids-${task}.img`))) {
    return [...IMAGE_NAMESPACES];
  }
  const shared = new Set<ImageNamespace>();
  for (const name of names.filter((each) => /^ids-\d+\.img$/.test(each))) {
    for (const ids of await readImage(join(directory, name), IMAGE_MAGIC.ids, NAMESPACE_IDS)) {
      for (const kind of IMAGE_NAMESPACES) if ((ids[kind] ?? 0) === (root[kind] ?? 0)) shared.add(kind);
    }
  }
  return IMAGE_NAMESPACES.filter((kind) => shared.has(kind));
}
