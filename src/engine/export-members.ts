import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatArchiveFacts } from '../archive/facts.ts';
import { MEMBER, MEMBER_DIRECTORY } from '../archive/members.ts';
import type { ArchiveWriter } from '../archive/types.ts';
import { layerDiffDirectory } from '../image/layers.ts';
import type { Container } from '../model/container.ts';
import { writeChanges } from '../rootfs/changes-archive.ts';
import { diffContainer } from '../rootfs/diff.ts';
import { mergedDirectory, mountRootfs, unmountRootfs } from '../rootfs/overlay.ts';
import { shmDirectory } from '../rootfs/shm.ts';
import { writeShm } from '../rootfs/shm-archive.ts';
import { writeVolume } from '../rootfs/volume-archive.ts';
import { runOk } from '../system/process.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { shmArchivePath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import { writeImageMember } from './export-image.ts';
import { addFiles } from './export-images.ts';
import { ownsShm } from './namespaces.ts';
import { configDump, specDump } from './plan/config-dump/write.ts';
import type { PreCheckpoint } from './pre-checkpoint-files.ts';
import { describeHost } from './preflight/host-facts.ts';

export interface MemberChoice {
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  readonly withImage: boolean;
  /** The pre-checkpoint that it builds on. */
  readonly previous?: PreCheckpoint | undefined;
}

/** What is known while the container still runs. First in the archive, so that a reader can refuse early. */
export async function writeKnownMembers(
  ctx: EngineContext,
  container: Container,
  { withImage, previous }: Pick<MemberChoice, 'withImage' | 'previous'>,
  writer: ArchiveWriter,
): Promise<void> {
  const { config } = container;
  const bundleJson = await readFile(join(bundleDirectory(ctx.store, config.id), 'config.json'), 'utf8');
  await writer.addContent(MEMBER.config, configDump(container));
  await writer.addContent(MEMBER.spec, specDump(container, bundleJson));
  await writer.addContent(MEMBER.network, JSON.stringify(fixedAddresses(container)));
  const facts = await describeHost(ctx, config.runtime);
  await writer.addContent(MEMBER.facts, formatArchiveFacts({ ...facts, previous: previous?.record.id }));
  await writer.addDirectory(MEMBER_DIRECTORY.artifacts);
  if (withImage) await writeImageMember(ctx, container, writer);
}

/**
 * The addresses that podman is to give again: it insists on those of network.status, also where they were dynamic and its
 * own network of the name has another subnet. All of them lie beside CRIU's images, for cryopod.
 */
export function fixedAddresses({ config, state }: Container): Container['state']['networks'] {
  const fixed = config.network.networks.filter(({ staticIps }) => staticIps.length > 0);
  return Object.fromEntries(
    Object.entries(state.networks).filter(([name]) => fixed.some((network) => network.name === name)),
  );
}

interface FrozenDump {
  readonly writer: ArchiveWriter;
  /** Lets CRIU dump and puts its images into the archive; gives the runtime's microseconds. */
  readonly writeImages: () => Promise<number>;
}

/** Memory and files of the frozen container, which belong to one moment. Gives the runtime's microseconds. */
export async function writeFrozenMembers(
  ctx: EngineContext,
  container: Container,
  choice: MemberChoice,
  { writer, writeImages }: FrozenDump,
): Promise<number> {
  const { config, state } = container;
  await writer.addDirectory(MEMBER_DIRECTORY.images);
  await writer.addContent(IMAGES_NETWORK, JSON.stringify(state.networks));
  const duration = await writeImages();
  await writer.addFile(MEMBER.statistics, statisticsPath(ctx, config));
  const shm = shmDirectory(ctx.store, config.id);
  if (ownsShm(config) && existsSync(shm)) {
    await writer.addStream(MEMBER.shm, (fd) => writeShm(ctx.store, config.id, fd));
  }
  await writeFiles(ctx, config, choice, writer);
  return duration;
}

/** The same of a container that has ended, with a local checkpoint. */
export async function writeCheckpointMembers(
  ctx: EngineContext,
  { config, state }: Container,
  choice: MemberChoice,
  writer: ArchiveWriter,
): Promise<void> {
  const images = checkpointDirectory(ctx.store, config.id);
  await writer.addDirectory(MEMBER_DIRECTORY.images);
  await writer.addContent(IMAGES_NETWORK, JSON.stringify(state.networks));
  const shm = shmArchivePath(images);
  if (choice.previous !== undefined) await writer.addParentLink();
  await addFiles(writer, MEMBER_DIRECTORY.images, images, [MEMBER.network, basename(shm)]);
  await writer.addFile(MEMBER.statistics, statisticsPath(ctx, config));
  if (ownsShm(config) && existsSync(shm)) await writer.addFile(MEMBER.shm, shm);
  await mountRootfs(ctx.store, config.id, layersOf(ctx, config));
  try {
    await writeFiles(ctx, config, choice, writer);
  } finally {
    await unmountRootfs(ctx.store, config.id);
  }
}

const IMAGES_NETWORK = `${MEMBER_DIRECTORY.images}/${MEMBER.network}`;

const statisticsPath = (ctx: EngineContext, { id }: Container['config']): string =>
  join(bundleDirectory(ctx.store, id), 'stats-dump');

async function writeFiles(
  ctx: EngineContext,
  config: Container['config'],
  { ignoreRootfs, ignoreVolumes }: MemberChoice,
  writer: ArchiveWriter,
): Promise<void> {
  await writeLog(config.logPath, writer);
  if (!ignoreRootfs) await writeRootfs(ctx, config, writer);
  if (!ignoreVolumes) await writeVolumes(ctx, config, writer);
}

const layersOf = (ctx: EngineContext, { layers }: Container['config']): string[] =>
  layers.map((layer) => layerDiffDirectory(ctx.store, layer));

/** The monitor may still add to it: what is there now goes in. */
async function writeLog(path: string, writer: ArchiveWriter): Promise<void> {
  if (path === '' || !existsSync(path)) return;
  await writer.addStream(MEMBER.log, async (fd) => {
    await runOk(['cat', '--', path], 'archive the log', { stdout: fd });
  });
}

async function writeRootfs(
  ctx: EngineContext,
  config: Container['config'],
  writer: ArchiveWriter,
): Promise<void> {
  const { id } = config;
  const changes = diffContainer(ctx.store, id, layersOf(ctx, config));
  let deleted: readonly string[] = [];
  await writer.addStream(MEMBER.rootfsDiff, async (fd) => {
    ({ deleted } = await writeChanges(mergedDirectory(ctx.store, id), changes, fd));
  });
  if (deleted.length > 0) await writer.addContent(MEMBER.deleted, JSON.stringify(deleted));
}

async function writeVolumes(
  ctx: EngineContext,
  { mounts }: Container['config'],
  writer: ArchiveWriter,
): Promise<void> {
  const names = new Set(mounts.filter(({ type }) => type === 'volume').map(({ source }) => source));
  if (names.size > 0) await writer.addDirectory(MEMBER_DIRECTORY.volumes);
  for (const name of names) {
    await writer.addStream(`${MEMBER_DIRECTORY.volumes}/${name}.tar`, (fd) =>
      writeVolume(ctx.store, name, fd),
    );
  }
}
