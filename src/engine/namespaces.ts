import type { ContainerConfig, NamespaceMode } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { shmDirectory } from '../rootfs/shm.ts';
import type { NamespaceChoice } from '../runtime/types.ts';
import { findContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';

/** Names of namespaces below /proc/PID/ns. */
type NamespaceName = 'net' | 'pid' | 'ipc' | 'uts';

/** The namespace of a running container. Errors: CONTAINER_STATE when it does not run. */
function namespaceOf(ctx: EngineContext, target: string, name: NamespaceName): NamespaceChoice {
  const { config, state } = observe(ctx, findContainer(ctx.db, target));
  if (state.status !== 'running' && state.status !== 'paused') {
    fail('CONTAINER_STATE', {
      message: `cannot join the ${name} namespace of container ${config.id}: it is not running: container state improper`,
      hint: `Start ${config.name} first.`,
    });
  }
  return { path: `/proc/${state.pid}/ns/${name}` };
}

/** What the spec needs for one namespace mode. `own` is the path of a namespace made for the container. */
export function namespaceChoice(
  ctx: EngineContext,
  { mode, target = '' }: { readonly mode: string; readonly target?: string | undefined },
  name: NamespaceName,
  own?: string,
): NamespaceChoice {
  if (mode === 'host') return 'host';
  if (mode === 'container') return namespaceOf(ctx, target, name);
  if (mode === 'ns') return { path: target };
  return own === undefined ? 'private' : { path: own };
}

/** True when the container has a /dev/shm of its own that the engine mounts. */
export const ownsShm = ({ ipc }: Pick<ContainerConfig, 'ipc'>): boolean =>
  ipc.mode === 'private' || ipc.mode === 'shareable';

/** The host directory that becomes /dev/shm; undefined for a mode that has none to share. */
export function shmSource(ctx: EngineContext, id: string, ipc: NamespaceMode): string | undefined {
  if (ipc.mode === 'host') return '/dev/shm';
  if (ipc.mode === 'container' && ipc.target !== undefined) {
    const other = findContainer(ctx.db, ipc.target).config;
    return shmSource(ctx, other.id, other.ipc);
  }
  return ipc.mode === 'none' ? undefined : shmDirectory(ctx.store, id);
}
