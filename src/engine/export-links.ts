import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type LinkRemap, linkRemaps } from '../criu/link-remaps.ts';
import type { Container, ContainerMount } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { mergedDirectory, upperDirectory } from '../rootfs/overlay.ts';
import { volumeMountpoint } from '../rootfs/volumes.ts';
import { updateState } from '../state/containers.ts';
import { amendOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { resolveInRoot } from '../system/confined-path.ts';
import { faultPoint } from '../system/faults.ts';
import { runOk } from '../system/process.ts';
import { checkpointDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { processLives } from './observe.ts';

interface LinkChoice {
  /** Directory of CRIU's images. */
  readonly images: string;
  /** Number of the journal entry. */
  readonly entry: number;
  readonly leaveRunning: boolean;
}

/**
 * A restore finds an open file whose name is deleted, and which has others, by a name that CRIU gives it during the dump,
 * and takes away again at the end of one that leaves the processes alive. `work` calls its argument once the dump has
 * ended: the names are made anew, so that the files of the archive have them. They stay where the container ends, for a
 * restore from the archive in its place. The container is frozen throughout.
 */
export async function withLinkRemaps<T>(
  ctx: EngineContext,
  container: Container,
  choice: LinkChoice,
  work: (makeLinks: () => Promise<void>) => Promise<T>,
): Promise<T> {
  let names: readonly string[] = [];
  return await undoOnFailure(async (cleanup) => {
    cleanup.add('remove the names of deleted files', () => removeLinkRemaps(ctx, container, names));
    const result = await work(async () => {
      const remaps = await linkRemaps(choice.images, container.state.pid);
      if (remaps.length === 0) return;
      names = remaps.map(({ name }) => name);
      if (choice.leaveRunning) refuseOnBinds(container, names);
      amendOperation(ctx.db, choice.entry, { links: names });
      if (!choice.leaveRunning) updateState(ctx.db, container.config.id, { criuNames: names });
      for (const remap of remaps) await makeLink(container, remap);
      faultPoint('export.linked');
    });
    if (choice.leaveRunning) await removeLinkRemaps(ctx, container, names);
    return result;
  });
}

/** As the processes see it: a hard link does not cross from one mount to another. */
const throughProcess = ({ state }: Container, name: string): string =>
  join(resolveInRoot(`/proc/${state.pid}/root`, dirname(name)), basename(name));

async function makeLink(container: Container, { name, source }: LinkRemap): Promise<void> {
  if (source === undefined) {
    fail('CHECKPOINT_FAILED', {
      message: `cannot export ${container.config.name}: a FIFO is open in ${dirname(name)} whose name there is deleted while it lives on under another one`,
      hint: 'Let the process close it, or give it its name back.',
    });
  }
  const target = throughProcess(container, name);
  await runOk(['ln', '--logical', '--', source, target], `give the deleted file ${source} the name ${name}`);
}

/** What a bind mount shows is not in the archive, and the name may not stay there: the container goes on. */
function refuseOnBinds(container: Container, names: readonly string[]): void {
  const name = names.find((one) => mountOf(container, one)?.type === 'bind');
  if (name === undefined) return;
  fail('CHECKPOINT_REFUSED', {
    message: `cannot export ${container.config.name} and leave it running: it keeps a file open whose name in ${dirname(name)} is deleted while the file lives on under another one, and what is in a bind mount does not go into an archive`,
    hint: 'Let the process close the file, or export without --leave-running.',
  });
}

/** Idempotent; also what recovery runs, where the processes may be gone. `names`: as the container sees them. */
export async function removeLinkRemaps(
  ctx: EngineContext,
  container: Container,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const paths = processLives(container) ? [throughProcess(container, name)] : onHost(ctx, container, name);
    for (const path of paths) await rm(path, { force: true });
  }
  if (names.length > 0) updateState(ctx.db, container.config.id, { criuNames: undefined });
}

/**
 * A container that was started anew has its files to itself: what CRIU left among them for a restore goes, and with it the
 * local checkpoint, which could not be restored without. Idempotent.
 */
export async function forgetLinkRemaps(ctx: EngineContext, started: Container): Promise<void> {
  const { config, state } = started;
  const { criuNames = [] } = state;
  if (criuNames.length === 0) return;
  await rm(checkpointDirectory(ctx.store, config.id), { recursive: true, force: true });
  await removeLinkRemaps(ctx, started, criuNames);
}

function onHost(ctx: EngineContext, container: Container, name: string): string[] {
  const mount = mountOf(container, name);
  const inside = name.slice(mount?.destination.length ?? 0);
  return rootsOf(ctx, container, mount)
    .filter((root) => existsSync(root))
    .map((root) => join(resolveInRoot(root, dirname(inside)), basename(inside)));
}

/** Of the root file system both, since it is mounted or not. A tmpfs goes with its container. */
function rootsOf(ctx: EngineContext, { config }: Container, mount: ContainerMount | undefined): string[] {
  switch (mount?.type) {
    case undefined:
      return [mergedDirectory(ctx.store, config.id), upperDirectory(ctx.store, config.id)];
    case 'volume':
      return [volumeMountpoint(ctx.store, mount.source)];
    case 'bind':
      return [mount.source];
    case 'tmpfs':
      return [];
  }
}

/** The innermost mount that a path lies in; undefined for the root file system. */
const mountOf = ({ config }: Container, path: string): ContainerMount | undefined =>
  config.mounts
    .filter(({ destination }) => path.startsWith(`${destination}/`))
    .toSorted((one, other) => other.destination.length - one.destination.length)[0];
