import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { IDENTITY_FILE, type PreCheckpointIdentity } from '../archive/identity.ts';
import type { Container, ContainerState } from '../model/container.ts';
import { errnoOf } from '../model/errors.ts';
import { timestamp } from '../system/clock.ts';
import { writeDurable } from '../system/durable.ts';
import { bundleDirectory, type StorePaths } from '../system/store-paths.ts';
import { recordedAsActive } from './observe.ts';

/** Name of CRIU's link to the images before (CRIU criu/include/image.h CR_PARENT_LINK). */
const PARENT = 'parent';
const NAME = /^pre-checkpoint(?:-([1-9]\d{0,8}))?$/;

/** The local record of a pre-checkpoint: which it is, and what it can be used for. */
export interface PreCheckpointRecord extends PreCheckpointIdentity {
  /** The run of the container whose memory it is. */
  readonly run: Pick<ContainerState, 'pid' | 'pidStart' | 'bootId'>;
  /** The kernel has tracked changes since, and nobody has begun anew: CRIU can tell what has changed. */
  readonly tracked: boolean;
  /** It lies in an archive too. */
  readonly exported: boolean;
}

export interface PreCheckpoint {
  /** Absolute path of CRIU's images. */
  readonly directory: string;
  /** As seen from a directory beside it. */
  readonly link: string;
  readonly record: PreCheckpointRecord;
}

/** Numbers of the pre-checkpoints in a container's directory, ascending. The first one has podman's name, without a number. */
function numbersIn(bundle: string): number[] {
  const numbers = namesIn(bundle).flatMap((name) => {
    const match = NAME.exec(name);
    return match === null ? [] : [Number(match[1] ?? 1)];
  });
  return numbers.toSorted((one, other) => one - other);
}

const nameOf = (number: number): string => (number === 1 ? 'pre-checkpoint' : `pre-checkpoint-${number}`);

function namesIn(bundle: string): string[] {
  try {
    return readdirSync(bundle);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Where the next pre-checkpoint goes. A name is never used for another one while anything may refer to it. */
export const nextPreCheckpoint = (store: StorePaths, id: string): string => {
  const bundle = bundleDirectory(store, id);
  return join(bundle, nameOf((numbersIn(bundle).at(-1) ?? 0) + 1));
};

/** The last pre-checkpoint of the present run of a container; undefined where there is none. */
export function lastPreCheckpoint(
  store: StorePaths,
  { config: { id }, state }: Container,
): PreCheckpoint | undefined {
  const bundle = bundleDirectory(store, id);
  for (const number of numbersIn(bundle).toReversed()) {
    const directory = join(bundle, nameOf(number));
    const record = readRecord(directory);
    if (record !== undefined && isOfRun(record, state)) {
      return { directory, link: `../${basename(directory)}`, record };
    }
  }
  return undefined;
}

const isOfRun = ({ run }: PreCheckpointRecord, { pid, pidStart, bootId }: ContainerState): boolean =>
  run.pid === pid && run.pidStart === pidStart && run.bootId === bootId;

/** The record beside a pre-checkpoint's images; undefined where there is none. */
export function readRecord(directory: string): PreCheckpointRecord | undefined {
  try {
    // Written by this module into a directory of root's alone; what an archive brings is removed before.
    return JSON.parse(readFileSync(join(directory, IDENTITY_FILE), 'utf8')) as PreCheckpointRecord;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A record of a new pre-checkpoint of a running container. */
export const newRecord = (
  { config, state: { pid, pidStart, bootId } }: Container,
  { tracked }: Pick<PreCheckpointRecord, 'tracked'>,
): PreCheckpointRecord => ({
  version: 1,
  id: randomBytes(16).toString('hex'),
  container: config.id,
  created: timestamp(),
  run: { pid, pidStart, bootId },
  tracked,
  exported: false,
});

/** Writes a record, or changes one. Durable when it returns. */
export const writeRecord = (directory: string, record: PreCheckpointRecord): Promise<void> =>
  writeDurable(join(directory, IDENTITY_FILE), `${JSON.stringify(record)}\n`);

/**
 * Each dump that lets the kernel track changes makes it begin anew, also one that fails: from then on, what has changed
 * since this pre-checkpoint can be told by content alone.
 */
export async function endTracking({ directory, record }: PreCheckpoint): Promise<void> {
  if (record.tracked) await writeRecord(directory, { ...record, tracked: false });
}

/** The directory that a directory's images build on, as a name beside it; undefined where they are whole. */
function parentOf(directory: string): string | undefined {
  try {
    return basename(readlinkSync(join(directory, PARENT)));
  } catch (error) {
    // ENOTDIR: other files of the bundle. EINVAL: no link.
    if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Names in a bundle that images build on, themselves included, newest first. */
export function chainOf(directory: string): string[] {
  const bundle = join(directory, '..');
  const chain: string[] = [];
  let name: string | undefined = basename(directory);
  while (name !== undefined && !chain.includes(name) && existsSync(join(bundle, name))) {
    chain.push(name);
    name = parentOf(join(bundle, name));
  }
  return chain;
}

/** Directories of images that build on others, also such as are not published yet. */
function buildingOn(bundle: string): string[] {
  return namesIn(bundle)
    .filter((name) => !NAME.test(name))
    .map((name) => join(bundle, name))
    .filter((directory) => parentOf(directory) !== undefined);
}

/**
 * Removes the pre-checkpoints that nothing needs any more: what remains is the last one of a run that goes on, what a local
 * checkpoint builds on, and what an exported one does that can still be restored here. Idempotent.
 */
export async function forgetPreCheckpoints(store: StorePaths, container: Container): Promise<void> {
  const { state, config } = container;
  const bundle = bundleDirectory(store, config.id);
  const last = recordedAsActive(container) ? lastPreCheckpoint(store, container)?.directory : undefined;
  const exported = state.exportPrevious === undefined ? undefined : join(bundle, state.exportPrevious);
  const needed = new Set(
    [...buildingOn(bundle), last, exported].flatMap((directory) =>
      directory === undefined ? [] : chainOf(directory),
    ),
  );
  for (const number of numbersIn(bundle)) {
    const name = nameOf(number);
    if (needed.has(name)) continue;
    // Without its record it is nobody's, also where a crash leaves the rest.
    await rm(join(bundle, name, IDENTITY_FILE), { force: true });
    await rm(join(bundle, name), { recursive: true, force: true });
  }
}
