import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import type { ArchiveWriter } from '../../archive/types.ts';
import { layerDiffDirectory } from '../../image/layers.ts';
import type { Container } from '../../model/container.ts';
import { diffContainer } from '../../rootfs/diff.ts';
import { mergedDirectory } from '../../rootfs/overlay.ts';
import { type ChangedFiles, scanChanges, scanTree } from '../../rootfs/rounds/scan.ts';
import { changedBytes, compareStates, EMPTY_TREE } from '../../rootfs/rounds/tree-state.ts';
import { encodePaths, writeRound } from '../../rootfs/rounds/write-round.ts';
import { volumeMountpoint } from '../../rootfs/volumes.ts';
import { syncFileSystem } from '../../system/durable.ts';
import type { EngineContext } from '../context.ts';
import { REMOVED_SUFFIX } from './round-members.ts';

/** Files of a container in rounds: each brings what has changed since the one before it. */
export interface FileRounds {
  /**
   * `live`: the container runs meanwhile. Gives the paths that are deleted from the root file system. Errors: PROGRAM_FAILED,
   * those of the writer.
   */
  readonly send: (
    writer: ArchiveWriter,
    choice: { readonly live: boolean },
  ) => Promise<{ readonly deleted: readonly string[] }>;
  /** Bytes that a round would bring now. */
  readonly changedBytes: () => Promise<number>;
}

interface Tree {
  /** The member that brings it. */
  readonly member: string;
  readonly root: string;
  readonly look: () => Promise<ChangedFiles>;
}

export function openFileRounds(ctx: EngineContext, container: Container): FileRounds {
  const trees = treesOf(ctx, container).map((tree) => ({ tree, before: EMPTY_TREE }));
  return {
    changedBytes: async () => {
      let bytes = 0;
      for (const { tree, before } of trees) bytes += changedBytes(before, (await tree.look()).state);
      return bytes;
    },
    send: async (writer, { live }) => {
      const gone: string[] = [];
      for (const each of trees) {
        const { state, deleted } = await each.tree.look();
        gone.push(...deleted);
        // What is written through a mapping from here on gives its file a new time (page_mkwrite of the file systems).
        if (live) await syncFileSystem(each.tree.root);
        const { changed, removed } = compareStates(each.before, state);
        const isSame = removed.length === 0 && changed.length === 1 && each.before !== EMPTY_TREE;
        if (!isSame || each.before.files.get('') !== state.files.get('')) {
          const { member, root } = each.tree;
          if (removed.length > 0) await writer.addContent(`${member}${REMOVED_SUFFIX}`, encodePaths(removed));
          await writer.addStream(member, (fd) => writeRound(root, changed, fd, { live }));
        }
        each.before = state;
      }
      return { deleted: gone };
    },
  };
}

function treesOf(ctx: EngineContext, { config }: Container): Tree[] {
  const { id, layers, mounts } = config;
  const diffs = layers.map((layer) => layerDiffDirectory(ctx.store, layer));
  const merged = mergedDirectory(ctx.store, id);
  const names = new Set(mounts.filter(({ type }) => type === 'volume').map(({ source }) => source));
  const volumes = [...names].map((name) => {
    const root = volumeMountpoint(ctx.store, name);
    const look = async (): Promise<ChangedFiles> => ({ state: await scanTree(root), deleted: [] });
    return { member: `${MEMBER_DIRECTORY.volumes}/${name}.tar`, root, look };
  });
  const look = (): Promise<ChangedFiles> => scanChanges(merged, diffContainer(ctx.store, id, diffs));
  return [{ member: MEMBER.rootfsDiff, root: merged, look }, ...volumes];
}
