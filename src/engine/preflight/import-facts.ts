import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import { readImageNeeds } from '../../criu/image-needs.ts';
import type { Container } from '../../model/container.ts';
import { isCryopodError } from '../../model/errors.ts';
import { checkPortsFree } from '../../network/ports.ts';
import { listContainers } from '../../state/containers.ts';
import { listImages } from '../../state/images.ts';
import { listVolumes } from '../../state/volumes.ts';
import { spaceAt } from '../../system/space.ts';
import type { EngineContext } from '../context.ts';
import { lookupLocal } from '../image/find.ts';
import type { ArchiveView, ImportCheckOptions, ImportFacts } from '../plan/preflight/types.ts';
import { addressFacts } from './addresses.ts';
import { imageLeaks } from './confinement.ts';
import { localHost } from './host-facts.ts';
import { problemsOf } from './problems.ts';
import { criuAbility, importRuntime } from './programs.ts';

/**
 * Looks at this host and store with an archive in mind, whose metadata and images without pages lie in its directory.
 * Changes nothing. Judge the answer with `importFindings`. Errors: IMAGE_INVALID for damaged images.
 */
export async function importFacts(
  ctx: EngineContext,
  archive: ArchiveView,
  options: ImportCheckOptions,
): Promise<ImportFacts> {
  const { config } = archive;
  const containers = listContainers(ctx.db);
  const [needs, criu, runtime, addresses, takenPorts, space] = await Promise.all([
    readImageNeeds(join(archive.directory, MEMBER_DIRECTORY.images)),
    criuAbility(ctx),
    importRuntime(ctx, config.runtime),
    addressFacts(ctx, archive, options, containers),
    problemsOf(options.publish ?? config.network.ports, (mapping) => checkPortsFree([mapping])),
    spaceAt(ctx.store.root),
  ]);
  return {
    archive,
    needs,
    isRoot: process.geteuid?.() === 0,
    host: localHost(),
    criu,
    runtime,
    image: imageFacts(ctx, archive),
    holders: holdersOf(containers, options.name ?? config.name, config.id),
    takenPorts,
    ...addresses,
    existingVolumes: listVolumes(ctx.db).map(({ name }) => name),
    missingSources: missingSources(config),
    leaks: await imageLeaks(config, needs),
    missingSeccomp: missingSeccomp(config),
    bytes: bytesOf(archive.members),
    space: { directory: ctx.store.root, free: space.free },
  };
}

function holdersOf(containers: readonly Container[], name: string, id: string): ImportFacts['holders'] {
  const [byName] = containers.filter(({ config }) => config.name === name);
  const [byId] = containers.filter(({ config }) => config.id === id);
  const short = (container: Container | undefined) =>
    container === undefined ? undefined : { id: container.config.id, name: container.config.name };
  return { name: short(byName), id: short(byId) };
}

function imageFacts(ctx: EngineContext, { config, members }: ArchiveView): ImportFacts['image'] {
  const present = listImages(ctx.db).some(({ id }) => id === config.imageId);
  return {
    present,
    // Not known before the whole archive has been read: then it may be.
    inArchive: members === undefined || members.some(({ name }) => name === MEMBER.image),
    otherId: present ? undefined : otherImage(ctx, config.imageName),
  };
}

/** An image that has the name here. The name comes from an archive: one that can be none is nobody's. */
function otherImage(ctx: EngineContext, name: string): string | undefined {
  if (name === '') return undefined;
  try {
    return lookupLocal(ctx, name)?.image.id;
  } catch (error) {
    if (isCryopodError(error, 'USAGE') || isCryopodError(error, 'AMBIGUOUS_ID')) return undefined;
    throw error;
  }
}

const missingSources = ({ mounts, devices }: ArchiveView['config']): ImportFacts['missingSources'] =>
  [
    ...mounts.filter(({ type }) => type === 'bind'),
    ...devices.map(({ hostPath, containerPath }) => ({ source: hostPath, destination: containerPath })),
  ]
    .filter(({ source }) => !existsSync(source))
    .map(({ source, destination }) => ({ source, destination }));

function missingSeccomp({ security: { seccomp } }: ArchiveView['config']): string | undefined {
  if (seccomp === undefined || seccomp === 'unconfined') return undefined;
  return existsSync(seccomp) ? undefined : seccomp;
}

function bytesOf(members: ArchiveView['members']): ImportFacts['bytes'] {
  if (members === undefined) return undefined;
  const sum = (fits: (name: string) => boolean): number =>
    members.filter(({ name }) => fits(name)).reduce((total, { size }) => total + size, 0);
  const image = sum((name) => name === MEMBER.image);
  const rootfs = sum((name) => name === MEMBER.rootfsDiff);
  const volumes = sum((name) => name.startsWith(`${MEMBER_DIRECTORY.volumes}/`));
  return { image, rootfs, volumes, rest: sum(() => true) - image - rootfs - volumes };
}
