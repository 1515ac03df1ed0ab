import type { Container } from '../../../model/container.ts';
import { goTime } from '../../../model/go-time.ts';
import { dependencies } from '../dependencies.ts';
import { configData } from './config.ts';
import type { InspectFacts } from './facts.ts';
import { type Fields, omitEmpty } from './fields.ts';
import { hostConfigData } from './host-config.ts';
import { mountsData } from './mounts.ts';
import { networkData } from './network.ts';

/**
 * All about one container with the keys of podman's `container inspect` (libpod/define/container_inspect.go, 5.x). Pure.
 * Fields that podman leaves out of its JSON when they are empty can still be read, as templates do.
 */
export function inspectData(container: Container, facts: InspectFacts): Fields {
  const { config } = container;
  const [path = '', ...args] = [...config.entrypoint, ...config.command];
  return omitEmpty(
    {
      Id: config.id,
      Created: goTime(config.created),
      Path: path,
      // podman repeats a program without arguments here.
      Args: args.length === 0 ? [path] : args,
      State: stateData(container, facts),
      Image: config.imageId,
      ImageDigest: facts.imageDigest,
      ImageName: config.imageName,
      Rootfs: '',
      Pod: '',
      ...filesData(facts),
      OCIRuntime: config.runtime,
      Name: config.name,
      RestartCount: 0,
      Driver: 'overlay',
      MountLabel: '',
      ProcessLabel: '',
      AppArmorProfile: config.security.apparmor ?? '',
      EffectiveCaps: facts.process.effectiveCaps,
      BoundingCaps: facts.process.boundingCaps,
      ExecIDs: [],
      GraphDriver: graphData(facts),
      SizeRw: facts.size?.rw ?? null,
      SizeRootFs: facts.size?.rootFs ?? 0,
      Mounts: mountsData(config.mounts, facts),
      Dependencies: dependencies(container),
      NetworkSettings: networkData(facts.networkOwner ?? container),
      Namespace: '',
      IsInfra: false,
      IsService: false,
      KubeExitCodePropagation: 'invalid',
      lockNumber: 0,
      Config: configData(container, facts),
      HostConfig: hostConfigData(container, facts),
      UseImageHosts: false,
      UseImageHostname: false,
    },
    ...(facts.size === undefined ? (['SizeRw', 'SizeRootFs'] as const) : []),
  );
}

function stateData({ state }: Container, { cgroupPath }: InspectFacts): Fields {
  const active = state.status === 'running' || state.status === 'paused';
  return omitEmpty(
    {
      OciVersion: '1.0.2',
      Status: state.status,
      Running: state.status === 'running',
      Paused: state.status === 'paused',
      Restarting: false,
      OOMKilled: state.oomKilled,
      Dead: false,
      Pid: state.pid,
      ConmonPid: state.monitorPid,
      ExitCode: state.exitCode,
      Error: state.error ?? '',
      StartedAt: goTime(state.startedAt),
      FinishedAt: goTime(state.finishedAt),
      Checkpointed: state.checkpointed,
      CgroupPath: active ? cgroupPath : '',
      CheckpointedAt: goTime(state.checkpointedAt),
      RestoredAt: goTime(state.restoredAt),
      CheckpointLog: state.checkpointLog ?? '',
      CheckpointPath: state.checkpointPath ?? '',
      RestoreLog: state.restoreLog ?? '',
      Restored: state.restored,
      StoppedByUser: false,
    },
    'ConmonPid',
    'Checkpointed',
    'CgroupPath',
    'CheckpointLog',
    'CheckpointPath',
    'RestoreLog',
    'Restored',
    'StoppedByUser',
  );
}

function filesData(facts: InspectFacts): Fields {
  const { bundle, runDirectory } = facts;
  return {
    ResolvConfPath: `${runDirectory}/resolv.conf`,
    HostnamePath: `${runDirectory}/hostname`,
    HostsPath: `${runDirectory}/hosts`,
    StaticDir: bundle,
    OCIConfigPath: `${bundle}/config.json`,
    ConmonPidFile: facts.monitorPidFile,
    PidFile: facts.pidFile,
  };
}

const graphData = ({ overlay }: InspectFacts): Fields => ({
  Name: 'overlay',
  Data: {
    // Highest first, as overlayfs takes them.
    LowerDir: overlay.lower.toReversed().join(':'),
    ...(overlay.merged === undefined ? {} : { MergedDir: overlay.merged }),
    UpperDir: overlay.upper,
    WorkDir: overlay.work,
  },
});
