import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import { checkPageFiles } from '../../criu/delta/check-page-files.ts';
import { isStored, type NamedCheckpoint } from '../../model/checkpoint.ts';
import { errnoOf, messageOf } from '../../model/errors.ts';
import { listCheckpoints, putCheckpoint } from '../../state/checkpoints.ts';
import { bytesPath, digestsOf, readDigests } from '../../system/digests.ts';
import type { EngineContext } from '../context.ts';
import { withContainer } from '../with-container.ts';
import { inheritedDamage } from './damage.ts';
import { DIGESTS, digestOfEntry, entryDirectory, imagesOf } from './entry.ts';

/** One stored object that is not as it was written. */
export interface Damage {
  /** Name of the checkpoint, and of the object in it: `checkpoint/pages-1.img`. */
  readonly checkpoint: string;
  readonly object: string;
  readonly problem: string;
  /** All checkpoints that cannot be restored as they were, this one included. */
  readonly hits: readonly string[];
}

export interface VerifyReport {
  /** Checkpoints that were looked at. */
  readonly checked: readonly string[];
  /** Objects and bytes that were read. */
  readonly objects: number;
  readonly bytes: number;
  readonly damages: readonly Damage[];
}

/** A file with its digest; names of one file in several checkpoints are told together. */
interface StoredObject {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
  readonly names: { readonly checkpoint: string; readonly object: string }[];
}

/**
 * Reads everything that a container's history stores, or what one of its checkpoints needs, and compares the digests. What
 * is found out is noted in the records, which restores and further checkpoints heed. Errors: BUSY, INTERRUPTED.
 */
export async function verifyHistory(
  ctx: EngineContext,
  container: string,
  only: string | undefined,
): Promise<VerifyReport> {
  return await withContainer(ctx, container, 'verify the history', async ({ config }) => {
    const all = listCheckpoints(ctx.db, config.id).filter(isStored);
    const chosen = only === undefined ? all : chainDown(all, only);
    const damages: Damage[] = [];
    const objects = new Map<string, StoredObject>();
    for (const record of chosen) {
      try {
        await collect(ctx, record, objects);
      } catch (error) {
        damages.push(damageOf(all, record.name, DIGESTS, messageOf(error)));
      }
    }
    damages.push(...(await compare([...objects.values()], all, ctx.signal)));
    for (const record of chosen) damages.push(...(await inherited(ctx, record, all)));
    for (const record of chosen) damages.push(...(await brokenChain(ctx, record, all, damages)));
    noteResults(ctx, all, chosen, damages);
    return {
      checked: chosen.map(({ name }) => name),
      objects: objects.size,
      bytes: [...objects.values()].reduce((sum, { size }) => sum + size, 0),
      damages,
    };
  });
}

/** Pages and their maps, which those that are stored against them read too. */
const PAGES = `${MEMBER_DIRECTORY.images}/page`;

/** A checkpoint and all that it is stored against. */
function chainDown(all: readonly NamedCheckpoint[], name: string): NamedCheckpoint[] {
  const chain: NamedCheckpoint[] = [];
  for (let at = byName(all, name); at !== undefined && !chain.includes(at); at = byName(all, at.parent)) {
    chain.push(at);
  }
  return chain;
}

const byName = (all: readonly NamedCheckpoint[], name: string | undefined): NamedCheckpoint | undefined =>
  all.find((one) => one.name === name);

async function collect(
  ctx: EngineContext,
  { container, name, digest }: NamedCheckpoint,
  objects: Map<string, StoredObject>,
): Promise<void> {
  const entry = entryDirectory(ctx.store, container, name);
  if ((await digestOfEntry(entry)) !== digest) {
    throw new Error('the lists of digests are not as they were written');
  }
  for (const [directory, prefix] of [
    [entry, ''],
    [imagesOf(entry), `${MEMBER_DIRECTORY.images}/`],
  ] as const) {
    for (const [file, expected] of await readDigests(join(directory, DIGESTS))) {
      const object = `${prefix}${file.slice(2)}`;
      const path = bytesPath(directory, file).toString('latin1');
      const { key, size } = await identify(path);
      const known = objects.get(`${key} ${expected}`);
      if (known === undefined) {
        objects.set(`${key} ${expected}`, {
          path,
          digest: expected,
          size,
          names: [{ checkpoint: name, object }],
        });
      } else known.names.push({ checkpoint: name, object });
    }
  }
}

/** Files with several links are read once. */
async function identify(path: string): Promise<{ readonly key: string; readonly size: number }> {
  try {
    const { ino, size } = await lstat(Buffer.from(path, 'latin1'));
    return { key: String(ino), size };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EIO') return { key: path, size: 0 };
    throw error;
  }
}

/** CRIU's own names hold nothing special, and a path of the store seldom does. */
const isImage = ({ path, names }: StoredObject): boolean =>
  names.every(({ object }) => object.startsWith(`${MEMBER_DIRECTORY.images}/`)) && !/[\\\n\r]/.test(path);

/** Pages that were taken in from a checkpoint that was damaged then. */
async function inherited(
  ctx: EngineContext,
  { container, name }: NamedCheckpoint,
  all: readonly NamedCheckpoint[],
): Promise<Damage[]> {
  const problem = await inheritedDamage(imagesOf(entryDirectory(ctx.store, container, name)));
  if (problem === undefined) return [];
  return [damageOf(all, name, `${PAGES}s`, `they came from a damaged checkpoint: ${problem}`)];
}

async function compare(
  objects: readonly StoredObject[],
  all: readonly NamedCheckpoint[],
  signal: AbortSignal,
): Promise<Damage[]> {
  const paths = (ofImages: boolean): string[] =>
    objects.filter((object) => isImage(object) === ofImages).map(({ path }) => path);
  const now = new Map([
    ...(await digestsOf('/', paths(true), { plainNames: true, signal })),
    ...(await digestsOf('/', paths(false), { signal })),
  ]);
  return objects
    .filter(({ path, digest }) => now.get(path) !== digest)
    .flatMap(({ path, names }) => {
      const problem = now.has(path) ? 'its content has changed' : 'it is missing or cannot be read';
      return names.map(({ checkpoint, object }) => {
        const shown = Buffer.from(object, 'latin1').toString();
        return damageOf(all, checkpoint, shown, problem);
      });
    });
}

function damageOf(
  all: readonly NamedCheckpoint[],
  checkpoint: string,
  object: string,
  problem: string,
): Damage {
  const isShared = object.startsWith(PAGES) || object === DIGESTS;
  return { checkpoint, object, problem, hits: isShared ? heirs(all, checkpoint) : [checkpoint] };
}

/** A checkpoint and all that are stored against it, directly or not: they may take pages from it. */
function heirs(all: readonly NamedCheckpoint[], name: string): string[] {
  const found = [name];
  for (const at of found) found.push(...all.filter(({ parent }) => parent === at).map((one) => one.name));
  return found;
}

/** A chain that does not hold together, where no object has told why. */
async function brokenChain(
  ctx: EngineContext,
  { container, name }: NamedCheckpoint,
  all: readonly NamedCheckpoint[],
  known: readonly Damage[],
): Promise<Damage[]> {
  if (known.some(({ hits }) => hits.includes(name))) return [];
  try {
    await checkPageFiles(imagesOf(entryDirectory(ctx.store, container, name)));
    return [];
  } catch (error) {
    return [damageOf(all, name, MEMBER_DIRECTORY.images, messageOf(error))];
  }
}

function noteResults(
  ctx: EngineContext,
  all: readonly NamedCheckpoint[],
  chosen: readonly NamedCheckpoint[],
  damages: readonly Damage[],
): void {
  for (const record of all) {
    const damage = damages.find(({ hits }) => hits.includes(record.name));
    if (damage !== undefined) {
      const message = `${damage.object} of ${damage.checkpoint}: ${damage.problem}`;
      putCheckpoint(ctx.db, { ...record, status: 'damaged', message });
    } else if (record.status === 'damaged' && chosen.includes(record)) {
      putCheckpoint(ctx.db, { ...record, status: 'complete', message: '' });
    }
  }
}
