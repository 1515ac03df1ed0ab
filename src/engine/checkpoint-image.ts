import { join } from 'node:path';
import { buildImage } from '../image/build.ts';
import { hostPlatform } from '../image/platform.ts';
import { normalizeName } from '../image/reference.ts';
import type { Container } from '../model/container.ts';
import { VERSION } from '../model/version.ts';
import { putImage } from '../state/images.ts';
import { timestamp } from '../system/clock.ts';
import type { CheckpointResult } from './checkpoint.ts';
import { withScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';
import { exportContainer } from './export.ts';
import type { ExportOptions } from './export-publish.ts';
import { archiveOfImage, CHECKPOINT_ANNOTATIONS } from './image/checkpoint-archive.ts';
import { whileImageFilesStay } from './image/lock.ts';
import { describeHost } from './preflight/host-facts.ts';

export interface ImageTarget {
  /** A short name becomes localhost/NAME:latest. */
  readonly image: string;
  /** The archive as a file as well (--export together with --create-image). */
  readonly target: ExportOptions['target'] | undefined;
}

/**
 * Checkpoints a container into an image of one layer, which is the archive. As with an export the container ends, or goes
 * on, only when the image is complete. Errors: those of exportContainer and of building an image.
 */
export async function checkpointToImage(
  ctx: EngineContext,
  nameOrId: string,
  { image, target }: ImageTarget,
  options: Omit<ExportOptions, 'target' | 'afterPublish'>,
): Promise<CheckpointResult> {
  const name = normalizeName(image);
  return await withScratch(ctx.store, async (directory) => {
    const path = target !== undefined && 'path' in target ? target.path : join(directory, 'checkpoint.tar');
    return await exportContainer(ctx, nameOrId, {
      ...options,
      target: { path },
      afterPublish: (container) => createImage(ctx, container, { path, move: target === undefined, name }),
    });
  });
}

interface LayerFile {
  readonly path: string;
  readonly move: boolean;
  readonly name: string;
}

/** Gives the path under which the archive lies in the store, as long as the image is there. */
async function createImage(
  ctx: EngineContext,
  container: Container,
  { path, move, name }: LayerFile,
): Promise<string> {
  return await whileImageFilesStay(ctx, name, async () => {
    const { architecture, os } = hostPlatform();
    const image = await buildImage(ctx.store, {
      layers: [{ path, move }],
      names: [name],
      annotations: await annotationsOf(ctx, container),
      signal: ctx.signal,
      config: () => ({ created: timestamp(), architecture, os, config: {} }),
    });
    putImage(ctx.db, image);
    return await archiveOfImage(ctx, image);
  });
}

async function annotationsOf(ctx: EngineContext, { config }: Container): Promise<Record<string, string>> {
  const { host, runtime, criu, conmon } = await describeHost(ctx, config.runtime);
  const values = {
    name: config.name,
    rawImageName: config.imageName,
    rootfsImageID: config.imageId,
    rootfsImageName: config.imageName,
    // Where podman's images have podman's version.
    'podman.version': `cryopod ${VERSION}`,
    'criu.version': criu.version,
    'runtime.name': runtime.name,
    'runtime.version': runtime.version,
    'conmon.version': conmon.version,
    'host.arch': host.architecture,
    'host.kernel': host.kernel,
    'cgroups.version': `v${host.cgroupVersion}`,
    'distribution.version': host.distribution.version,
    'distribution.name': host.distribution.id,
  };
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`${CHECKPOINT_ANNOTATIONS}${key}`, value]),
  );
}
