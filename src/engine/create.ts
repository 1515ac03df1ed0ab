import { randomBytes } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { readImageConfig } from '../image/config.ts';
import type { Container } from '../model/container.ts';
import { STOPPED_STATE } from '../model/container.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { checkName } from '../model/ids.ts';
import { parseSignal } from '../model/signals.ts';
import { removeContainerFiles } from '../rootfs/overlay.ts';
import { containerByName, findContainer, insertContainer } from '../state/containers.ts';
import { listImages } from '../state/images.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { volumeByName } from '../state/volumes.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { timestamp } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { ensureImage, type PullPolicy } from './image/ensure.ts';
import { withImagesLock } from './image/lock.ts';
import { type CreateRequest, containerConfig } from './plan/container-config.ts';
import { pickName } from './random-name.ts';
import { removeContainer } from './remove.ts';
import { ensureVolume } from './volume/ensure.ts';
import { removeAnonymousVolumes } from './volume/remove-anonymous.ts';

export interface CreateOptions {
  readonly pull: PullPolicy;
  /** Removes a container of the same name first (--replace). */
  readonly replace: boolean;
  /** File that gets the ID; it must not exist yet. */
  readonly cidfile?: string | undefined;
  /** Hears of each named volume that did not exist. */
  readonly onVolumeMade?: ((name: string) => void) | undefined;
}

const DEFAULT_RUNTIME = 'runc';

/**
 * Makes a container from an image; starts nothing. Errors: those of pulling, USAGE, NAME_IN_USE, NO_SUCH_CONTAINER for
 * `container:NAME` modes.
 */
export async function createContainer(
  ctx: EngineContext,
  request: CreateRequest,
  options: CreateOptions,
): Promise<Container> {
  if (request.name !== undefined) checkName(request.name, 'container');
  const cidfile = options.cidfile === undefined ? undefined : await openCidfile(options.cidfile);
  try {
    const { image, name: imageName } = await ensureImage(ctx, request.image, options.pull);
    const replaced =
      options.replace && request.name !== undefined ? containerByName(ctx.db, request.name) : undefined;
    if (replaced !== undefined) {
      await removeContainer(ctx, replaced.config.id, { force: true, volumes: false });
    }
    const id = randomBytes(32).toString('hex');
    const config = containerConfig(resolveTargets(ctx, request), {
      id,
      name: request.name ?? pickName((name) => containerByName(ctx.db, name) !== undefined),
      created: timestamp(),
      image,
      imageConfig: await readImageConfig(ctx.store, image),
      imageName,
      runtime: ctx.runtime ?? DEFAULT_RUNTIME,
      cgroupManager: ctx.cgroupManager,
      defaultLogPath: join(bundleDirectory(ctx.store, id), 'ctr.log'),
      anonymousVolumeName: () => randomBytes(32).toString('hex'),
      signalNumber: parseSignal,
    });
    const container: Container = { config, state: STOPPED_STATE };
    await withImagesLock(ctx, 'make a container of', async () => {
      if (!listImages(ctx.db).some(({ id: present }) => present === image.id)) {
        fail('NO_SUCH_IMAGE', { message: `image ${imageName} was removed meanwhile: no such image` });
      }
      await record(ctx, container, options);
    });
    await cidfile?.writeFile(id);
    return container;
  } finally {
    await cidfile?.close();
  }
}

/** Directories first, under a journal entry, then the record: a crash in between leaves only files that recovery removes. */
async function record(
  ctx: EngineContext,
  container: Container,
  { onVolumeMade }: Pick<CreateOptions, 'onVolumeMade'>,
): Promise<void> {
  const { id, mounts } = container.config;
  const entry = beginOperation(ctx.db, 'create', id);
  await undoOnFailure(async (cleanup) => {
    cleanup.add(`forget the creation of ${id}`, () => endOperation(ctx.db, entry));
    cleanup.add(`remove the files of ${id}`, () => removeContainerFiles(ctx.store, id));
    cleanup.add(`remove the volumes of ${id}`, () => removeAnonymousVolumes(ctx, mounts));
    await mkdir(bundleDirectory(ctx.store, id), { recursive: true, mode: 0o700 });
    for (const { type, source, anonymous } of mounts) {
      if (type !== 'volume') continue;
      const isNew = volumeByName(ctx.db, source) === undefined;
      await ensureVolume(ctx, source, { anonymous: anonymous === true });
      if (isNew && anonymous !== true) onVolumeMade?.(source);
    }
    insertContainer(ctx.db, container);
  });
  faultPoint('create.recorded');
  endOperation(ctx.db, entry);
}

/** Names in `container:NAME` become IDs, so that a later rename changes nothing. */
function resolveTargets(ctx: EngineContext, request: CreateRequest): CreateRequest {
  const resolve = <T extends { readonly mode: string; readonly target?: string | undefined }>(
    choice: T,
  ): T =>
    choice.mode === 'container' && choice.target !== undefined
      ? { ...choice, target: findContainer(ctx.db, choice.target).config.id }
      : choice;
  return {
    ...request,
    network: resolve(request.network),
    ipc: resolve(request.ipc),
    pid: resolve(request.pid),
    uts: resolve(request.uts),
  };
}

async function openCidfile(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'wx', 0o644);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      fail('USAGE', {
        message: `container id file exists: ensure another container is not running or delete ${path}`,
      });
    }
    return fail('USAGE', { message: `could not write the container ID file ${path}`, cause: error });
  }
}
