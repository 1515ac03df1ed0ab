import type { Container, ContainerConfig, HandedOver } from '../../model/container.ts';
import { type Finding, obstacle, ok, refuseObstacles } from './preflight/finding.ts';

export interface RestoreOptions {
  /** Keep the checkpoint and CRIU's logs (-k). */
  readonly keep: boolean;
  readonly tcpEstablished: boolean;
  readonly tcpClose: boolean;
  readonly fileLocks: boolean;
  readonly ignoreStaticIp: boolean;
  readonly ignoreStaticMac: boolean;
  /** The processes run at once, and their memory follows. */
  readonly lazy?: boolean | undefined;
}

export interface RestoreFacts {
  readonly isRoot: boolean;
  /** The checkpoint's directory holds a complete set of images. */
  readonly complete: boolean;
  readonly runtime: { readonly able: boolean; readonly why?: string | undefined };
  /** Needed where the restore is to be lazy. */
  readonly lazy?: LazyAbility | undefined;
}

/** What a lazy restore needs. */
export interface LazyAbility {
  readonly runtime: { readonly name: string; readonly able: boolean };
  /** CRIU on this kernel can. */
  readonly criu: boolean;
}

/** Refuses what cannot work before anything is created or consumed. Pure. */
export const refuseRestore = (container: Container, options: RestoreOptions, facts: RestoreFacts): void =>
  refuseObstacles(restoreFindings(container, options, facts));

/** Whether a restore can begin. The first obstacle is what it is refused with. Pure. */
export function restoreFindings(
  { config, state }: Container,
  options: RestoreOptions,
  { isRoot, complete, runtime, lazy }: RestoreFacts,
): readonly Finding[] {
  const found: Finding[] = lazy === undefined ? [] : lazyFindings(lazy);
  if (!isRoot) found.push(obstacle('rights', 'NEEDS_ROOT', 'restoring a container requires root'));
  if (options.tcpEstablished && options.tcpClose) {
    const sentence = '--tcp-established and --tcp-close cannot be used together';
    found.push(obstacle('connections', 'USAGE', sentence));
  }
  if (state.status === 'running' || state.status === 'paused') {
    const sentence = `container ${config.id} is running or paused, cannot restore: container state improper`;
    found.push(obstacle('state', 'CONTAINER_STATE', sentence));
  } else {
    found.push(ok('state', state.status));
  }
  if (state.handedOver !== undefined) found.push(inDoubt(config.name, state.handedOver));
  if (complete) {
    found.push(ok('images', 'the checkpoint is complete'));
  } else {
    const sentence =
      'a complete checkpoint for this container cannot be found, cannot restore: container state improper';
    const hint =
      state.exportPath === undefined
        ? `Take one with: cryopod container checkpoint ${config.name}`
        : `It was exported to ${state.exportPath}: bring it back there, or restore it with --import.`;
    found.push(obstacle('images', 'RESTORE_REFUSED', sentence, hint));
  }
  if (runtime.able) return [...found, ok('runtime', config.runtime)];
  const why = runtime.why === undefined ? '' : `: ${runtime.why}`;
  const sentence = `configured runtime does not support checkpoint/restore${why}`;
  return [...found, obstacle('runtime', 'RUNTIME_UNSUPPORTED', sentence)];
}

const inDoubt = (name: string, { to }: HandedOver): Finding =>
  obstacle(
    'state',
    'IN_DOUBT',
    `container ${name} was handed over to ${to}, which has not said whether it runs there`,
    `Ask it: cryopod migrate --settle ${name}`,
  );

/** Refuses to run what may run elsewhere. Errors: IN_DOUBT. Pure. */
export function refuseInDoubt({ config, state }: Container): void {
  if (state.handedOver !== undefined) refuseObstacles([inDoubt(config.name, state.handedOver)]);
}

/** What stands in the way of a restore with `--lazy`. Pure. */
export function lazyFindings({ runtime, criu }: LazyAbility): Finding[] {
  const hint = 'Restore it without --lazy.';
  const found: Finding[] = [];
  if (!runtime.able) {
    const sentence = `the runtime ${runtime.name} cannot restore lazily`;
    found.push(obstacle('runtime', 'RUNTIME_UNSUPPORTED', sentence, hint));
  }
  if (!criu) {
    const sentence =
      'CRIU on this kernel cannot restore lazily: it needs userfaultfd with events, and pidfd_getfd';
    found.push(obstacle('criu', 'CRIU_MISSING', sentence, hint));
  }
  return found;
}

/** The configuration without the static addresses that a restore is to ignore, for good. Pure. */
export function withoutIgnoredAddresses(
  config: ContainerConfig,
  { ignoreStaticIp, ignoreStaticMac }: Pick<RestoreOptions, 'ignoreStaticIp' | 'ignoreStaticMac'>,
): ContainerConfig {
  const networks = config.network.networks.map((network) => ({
    ...network,
    ...(ignoreStaticIp ? { staticIps: [] } : {}),
    ...(ignoreStaticMac ? { staticMac: undefined } : {}),
  }));
  return { ...config, network: { ...config.network, networks } };
}
