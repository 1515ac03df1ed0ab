import { boundingSet } from '../model/capabilities.ts';
import type { ContainerConfig, SecurityOptions } from '../model/container.ts';
import { mergeEnv, processEnv, UMASK } from './environment.ts';
import { processCapabilities } from './spec/capabilities.ts';
import { processLimits } from './spec/limits.ts';
import type { OciProcess } from './spec/types.ts';
import type { HostFacts, ResolvedUser } from './types.ts';

/** What `exec` was asked for. */
export interface ExecProcessRequest {
  readonly args: readonly string[];
  /** Added to the container's environment: NAME=value. */
  readonly env: readonly string[];
  readonly tty: boolean;
  readonly privileged: boolean;
  /** Directory; undefined for the container's. */
  readonly workdir?: string | undefined;
  /** Resolved against the container's rootfs: the user asked for, or the container's. */
  readonly user: ResolvedUser;
}

/** The process that `exec` runs in a container: the container's own settings with the request's over them (pure). */
export function execProcess(
  config: ContainerConfig,
  request: ExecProcessRequest,
  host: HostFacts,
): OciProcess {
  const security: SecurityOptions = {
    ...config.security,
    privileged: config.security.privileged || request.privileged,
  };
  const { names } = boundingSet(security, host);
  return {
    terminal: request.tty,
    user: {
      uid: request.user.uid,
      gid: request.user.gid,
      umask: UMASK,
      additionalGids: request.user.additionalGids,
    },
    args: request.args,
    env: mergeEnv(processEnv(config, request.user, request.tty), request.env),
    cwd: request.workdir ?? (config.workdir === '' ? '/' : config.workdir),
    capabilities: request.privileged
      ? { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] }
      : processCapabilities(names, security, request.user.uid),
    rlimits: processLimits(config.resources, host).rlimits,
    noNewPrivileges: config.security.noNewPrivileges,
  };
}
