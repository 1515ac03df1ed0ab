import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatArchiveFacts } from '../../archive/facts.ts';
import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import { layerDiffDirectory } from '../../image/layers.ts';
import type { Container } from '../../model/container.ts';
import { errnoOf } from '../../model/errors.ts';
import { diffContainer } from '../../rootfs/diff.ts';
import { mergedDirectory } from '../../rootfs/overlay.ts';
import { saveShm } from '../../rootfs/shm-archive.ts';
import { copyChanges, copyVolume } from '../../rootfs/tree-copy.ts';
import { bundleDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { dumpPages } from '../dump.ts';
import { fixedAddresses } from '../export-members.ts';
import { ownsShm } from '../namespaces.ts';
import type { CheckpointOptions } from '../plan/checkpoint.ts';
import { configDump, specDump } from '../plan/config-dump/write.ts';
import { describeHost } from '../preflight/host-facts.ts';
import { rootfsTree, volumeTrees } from './entry.ts';

/** What is known while the container still runs. */
export async function takeKnown(ctx: EngineContext, container: Container, entry: string): Promise<void> {
  const { config } = container;
  const bundle = await readFile(join(bundleDirectory(ctx.store, config.id), 'config.json'), 'utf8');
  const write = (member: string, text: string): Promise<void> =>
    writeFile(join(entry, member), text, { mode: 0o600 });
  await write(MEMBER.config, configDump(container));
  await write(MEMBER.spec, specDump(container, bundle));
  await write(MEMBER.network, JSON.stringify(fixedAddresses(container)));
  await write(MEMBER.facts, formatArchiveFacts(await describeHost(ctx, config.runtime)));
}

export interface Taken {
  /** Microseconds. */
  readonly runtimeDuration: number;
  /** Bytes of the container's log. */
  readonly logBytes: number;
}

interface Places {
  readonly entry: string;
  readonly images: string;
  /** Gives files whose names are deleted the names that a restore looks for, once the dump has ended. */
  readonly makeLinks: () => Promise<void>;
}

/**
 * Memory and files of a frozen container, which belong to one moment: whole images into the new directory `images`, and
 * the rest into `entry`. Only copies: what can be done after the thaw is done then. Errors: CHECKPOINT_FAILED,
 * PROGRAM_FAILED, NO_SPACE.
 */
export async function takeFrozen(
  ctx: EngineContext,
  container: Container,
  options: CheckpointOptions & { readonly ignoreVolumes: boolean },
  { entry, images, makeLinks }: Places,
): Promise<Taken> {
  const { config, state } = container;
  await mkdir(images, { mode: 0o700 });
  await writeFile(join(images, MEMBER.network), JSON.stringify(state.networks), { mode: 0o600 });
  const runtimeDuration = await dumpPages(ctx, container, images, options);
  await makeLinks();
  await copyFile(
    join(bundleDirectory(ctx.store, config.id), MEMBER.statistics),
    join(entry, MEMBER.statistics),
  );
  if (ownsShm(config)) await saveShm(ctx.store, config.id, join(entry, MEMBER.shm));
  const logBytes = await sizeOf(config.logPath);
  await takeRootfs(ctx, config, entry);
  if (!options.ignoreVolumes) await takeVolumes(ctx, config, entry);
  return { runtimeDuration, logBytes };
}

async function takeRootfs(
  ctx: EngineContext,
  { id, layers }: Container['config'],
  entry: string,
): Promise<void> {
  const diffs = layers.map((layer) => layerDiffDirectory(ctx.store, layer));
  const { deleted } = await copyChanges(
    mergedDirectory(ctx.store, id),
    diffContainer(ctx.store, id, diffs),
    rootfsTree(entry),
  );
  if (deleted.length === 0) return;
  await writeFile(join(entry, MEMBER.deleted), JSON.stringify(deleted), { mode: 0o600 });
}

async function takeVolumes(
  ctx: EngineContext,
  { mounts }: Container['config'],
  entry: string,
): Promise<void> {
  const names = new Set(mounts.filter(({ type }) => type === 'volume').map(({ source }) => source));
  if (names.size > 0) await mkdir(join(entry, MEMBER_DIRECTORY.volumes), { mode: 0o700 });
  for (const name of names) await copyVolume(ctx.store, name, join(volumeTrees(entry), name));
}

async function sizeOf(path: string): Promise<number> {
  if (path === '' || !existsSync(path)) return 0;
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
