import { readlinkSync } from 'node:fs';
import type { Container } from '../model/container.ts';
import { errnoOf, isCryopodError } from '../model/errors.ts';
import type { Filters } from '../model/filters.ts';
import { findContainer, listContainers } from '../state/containers.ts';
import type { ContainerSize } from './container-size.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';
import { containerFilter } from './plan/container-filter.ts';

export interface ListOptions {
  /** Those that do not run as well. */
  readonly all: boolean;
  /** Only so many, the newest, in any state; undefined for no limit. */
  readonly last?: number | undefined;
  readonly filters: Filters;
  /** Measure sizes, which reads the whole tree of what each container wrote. */
  readonly size?: boolean;
  readonly namespaces?: boolean;
}

export interface ListedContainer extends Container {
  readonly size?: ContainerSize;
  /** Inode numbers by the name in /proc/PID/ns; empty when it does not run. */
  readonly namespaces?: Readonly<Record<string, string>>;
}

/**
 * Containers as they are now, oldest first. Changes nothing. Errors: USAGE for a bad filter; NO_SUCH_CONTAINER and
 * AMBIGUOUS_ID for one that names a container.
 */
export async function listAll(ctx: EngineContext, options: ListOptions): Promise<ListedContainer[]> {
  const { all, last, filters } = options;
  const passes = containerFilter(filters, {
    findContainer: (name) => findContainer(ctx.db, name),
    networks: await networksOf(ctx, filters),
  });
  const anyState = all || last !== undefined || filters.has('status');
  const found = listContainers(ctx.db)
    .map((container) => observe(ctx, container))
    .filter((container) => (anyState || container.state.status === 'running') && passes(container))
    .sort((a, b) => Date.parse(a.config.created) - Date.parse(b.config.created));
  const chosen = last === undefined ? found : found.slice(Math.max(0, found.length - last));
  const listed: ListedContainer[] = [];
  for (const container of chosen) listed.push(await withDetails(ctx, container, options));
  return listed;
}

async function networksOf(ctx: EngineContext, filters: Filters): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const values = filters.get('network') ?? [];
  if (values.length === 0) return names;
  // What only some lists need is loaded only for them: this command is called often.
  const { findNetwork } = await import('../network/store.ts');
  for (const value of values) {
    try {
      names.set(value, (await findNetwork(ctx.store, value)).name);
    } catch (error) {
      // No container is on a network that does not exist.
      if (!isCryopodError(error, 'NO_SUCH_NETWORK')) throw error;
    }
  }
  return names;
}

async function withDetails(
  ctx: EngineContext,
  container: Container,
  { size = false, namespaces = false }: ListOptions,
): Promise<ListedContainer> {
  const measured = size
    ? await (await import('./container-size.ts')).containerSize(ctx, container)
    : undefined;
  return {
    ...container,
    ...(measured === undefined ? {} : { size: measured }),
    ...(namespaces ? { namespaces: namespaceInodes(container.state.pid) } : {}),
  };
}

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

function namespaceInodes(pid: number): Record<string, string> {
  const inodes: Record<string, string> = {};
  if (pid === 0) return inodes;
  for (const name of NAMESPACES) {
    try {
      inodes[name] = readlinkSync(`/proc/${pid}/ns/${name}`).replace(/\D/g, '');
    } catch (error) {
      // It has ended since.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return inodes;
}
