import { join } from 'node:path';
import { boundingSet } from '../model/capabilities.ts';
import type { ContainerConfig } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { goJson } from '../model/go-json.ts';
import { writeDurable } from '../system/durable.ts';
import { processEnv, UMASK } from './environment.ts';
import { processCapabilities } from './spec/capabilities.ts';
import { processLimits } from './spec/limits.ts';
import { containerMounts, rootPropagation } from './spec/mounts.ts';
import { containerNamespaces } from './spec/namespaces.ts';
import { protectedPaths } from './spec/paths.ts';
import { cgroupResources, cgroupsPath } from './spec/resources.ts';
import type { OciProcess, OciSpec } from './spec/types.ts';
import type { BuiltSpec, SpecFacts } from './types.ts';

const OCI_VERSION = '1.0.2';
/**
 * The OCI configuration of a container (runtime-spec config.md, config-linux.md), with podman's defaults. Pure: all that
 * depends on the host is in `facts`. Fails with USAGE for what no host could run.
 */
export function buildSpec(config: ContainerConfig, facts: SpecFacts): BuiltSpec {
  const limits = processLimits(config.resources, facts.host);
  const cgroup = cgroupResources(config, facts);
  const bounding = boundingSet(config.security, facts.host);
  const ownUts = facts.namespaces.uts === 'private';
  const propagation = rootPropagation(facts.mounts);
  const spec: OciSpec = {
    ociVersion: OCI_VERSION,
    process: initProcess(config, facts, bounding.names, limits.rlimits),
    root: { path: facts.rootfs, readonly: config.security.readOnlyRootfs },
    ...(ownUts && config.hostname !== '' ? { hostname: config.hostname } : {}),
    mounts: containerMounts(config, facts),
    annotations: annotations(config),
    linux: {
      cgroupsPath: cgroupsPath(config),
      namespaces: containerNamespaces(facts),
      devices: facts.devices.map((device) => ({
        path: device.containerPath,
        type: device.type,
        major: device.major,
        minor: device.minor,
        fileMode: device.mode,
        uid: device.uid,
        gid: device.gid,
      })),
      resources: cgroup.resources,
      ...(facts.seccomp === undefined ? {} : { seccomp: facts.seccomp }),
      ...protectedPaths(config.security),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      // Lets every user ping, as podman does; only a network of the container's own may be changed.
      ...(facts.namespaces.network === 'host' ? {} : { sysctl: { 'net.ipv4.ping_group_range': '0 0' } }),
    },
  };
  const missing = bounding.missing.map(
    (name) => `--cap-add ${name} has no effect: this host does not have it`,
  );
  return { spec, warnings: [...limits.warnings, ...cgroup.warnings, ...missing] };
}

function initProcess(
  config: ContainerConfig,
  { user }: SpecFacts,
  bounding: readonly string[],
  rlimits: OciProcess['rlimits'],
): OciProcess {
  const args = [...config.entrypoint, ...config.command];
  if (args.length === 0) {
    fail('USAGE', {
      message: 'no command or entrypoint provided, and no CMD or ENTRYPOINT from image: invalid argument',
    });
  }
  return {
    terminal: config.tty,
    user: { uid: user.uid, gid: user.gid, umask: UMASK, additionalGids: user.additionalGids },
    args,
    env: processEnv(config, user),
    cwd: config.workdir === '' ? '/' : config.workdir,
    capabilities: processCapabilities(bounding, config.security, user.uid),
    rlimits,
    noNewPrivileges: config.security.noNewPrivileges,
  };
}

const annotations = (config: ContainerConfig): Record<string, string> => ({
  ...config.annotations,
  'io.container.manager': 'cryopod',
  'org.opencontainers.image.stopSignal': String(config.stopSignal),
});

/** JSON for a runtime; Infinity becomes the format's "unlimited". */
export const specJson = (value: OciSpec | OciProcess): string => goJson(value);

/** Writes config.json into the bundle: atomic and durable, 0600 because environments hold secrets. */
export const writeSpec = (bundle: string, spec: OciSpec): Promise<void> =>
  writeDurable(join(bundle, 'config.json'), specJson(spec));
