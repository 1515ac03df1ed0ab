import { dirname, resolve } from 'node:path';
import type { ArchiveCompression } from '../archive/members.ts';
import type { ArchiveTarget } from '../archive/types.ts';
import type { Container } from '../model/container.ts';
import { upperDirectory } from '../rootfs/overlay.ts';
import { volumeSize } from '../rootfs/volumes.ts';
import { spaceAt } from '../system/space.ts';
import { treeSize } from '../system/tree-size.ts';
import { checkpointFacts } from './checkpoint-facts.ts';
import type { EngineContext } from './context.ts';
import type { CheckpointFacts } from './plan/checkpoint.ts';
import type { FoundPrevious } from './previous.ts';

/** Memory and files rarely shrink further; where less than that is free, an export cannot succeed. */
const BEST_RATIO = 10;

interface SpaceOptions {
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  /** The pre-checkpoint that it builds on. */
  readonly found?: FoundPrevious | undefined;
}

export interface ExportFacts extends CheckpointFacts {
  /** About what the archive's members take, uncompressed. */
  readonly archiveBytes: number;
}

/**
 * What is known before an export: as for a checkpoint, but the space is the target's. For a pipe it is that of the
 * container's directory, which holds the compressed pages for a while.
 */
export async function exportFacts(
  ctx: EngineContext,
  container: Container,
  options: SpaceOptions,
): Promise<ExportFacts> {
  const facts = await checkpointFacts(ctx, container);
  const { target, compression, found } = options;
  const directory = 'path' in target ? dirname(resolve(target.path)) : facts.directory;
  const files = await fileBytes(ctx, container, options);
  const bytes = facts.memoryBytes + files;
  // What of the memory has changed is not known before.
  const leastBytes = found === undefined ? bytes : files;
  const isCompared = found?.previous?.tracked === false;
  const staging = { directory: facts.directory, freeBytes: facts.freeBytes, neededBytes: facts.memoryBytes };
  return {
    ...facts,
    directory,
    freeBytes: (await spaceAt(directory)).free,
    archiveBytes: bytes,
    leastBytes: compression === 'none' ? leastBytes : Math.floor(leastBytes / BEST_RATIO),
    previous: found?.facts,
    staging: isCompared ? staging : undefined,
  };
}

/** Bytes of a container's changed files and volumes, as far as they are not left out. */
export async function fileBytes(
  ctx: EngineContext,
  { config }: Container,
  { ignoreRootfs, ignoreVolumes }: Pick<SpaceOptions, 'ignoreRootfs' | 'ignoreVolumes'>,
): Promise<number> {
  const volumes = ignoreVolumes ? [] : config.mounts.filter(({ type }) => type === 'volume');
  const sizes = await Promise.all([
    ignoreRootfs ? 0 : treeSize(upperDirectory(ctx.store, config.id)),
    ...volumes.map(({ source }) => volumeSize(ctx.store, source)),
  ]);
  return sizes.reduce((total, size) => total + size, 0);
}
