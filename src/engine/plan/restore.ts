import type { Container, ContainerConfig } from '../../model/container.ts';
import { fail } from '../../model/errors.ts';

export interface RestoreOptions {
  /** Keep the checkpoint and CRIU's logs (-k). */
  readonly keep: boolean;
  readonly tcpEstablished: boolean;
  readonly tcpClose: boolean;
  readonly fileLocks: boolean;
  readonly ignoreStaticIp: boolean;
  readonly ignoreStaticMac: boolean;
}

export interface RestoreFacts {
  readonly isRoot: boolean;
  /** The checkpoint's directory holds a complete set of images. */
  readonly complete: boolean;
  readonly runtime: { readonly able: boolean; readonly why?: string | undefined };
}

/** Refuses what cannot work before anything is created or consumed. Pure. */
export function refuseRestore(container: Container, options: RestoreOptions, facts: RestoreFacts): void {
  const { config, state } = container;
  if (!facts.isRoot) fail('NEEDS_ROOT', { message: 'restoring a container requires root' });
  if (options.tcpEstablished && options.tcpClose) {
    fail('USAGE', { message: '--tcp-established and --tcp-close cannot be used together' });
  }
  if (state.status === 'running' || state.status === 'paused') {
    fail('CONTAINER_STATE', {
      message: `container ${config.id} is running or paused, cannot restore: container state improper`,
    });
  }
  if (!facts.complete) {
    fail('RESTORE_REFUSED', {
      message:
        'a complete checkpoint for this container cannot be found, cannot restore: container state improper',
      hint: `Take one with: cryopod container checkpoint ${config.name}`,
    });
  }
  if (!facts.runtime.able) {
    fail('RUNTIME_UNSUPPORTED', {
      message: `configured runtime does not support checkpoint/restore${facts.runtime.why === undefined ? '' : `: ${facts.runtime.why}`}`,
    });
  }
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
