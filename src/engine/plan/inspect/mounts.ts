import type { ContainerMount } from '../../../model/container.ts';
import type { InspectFacts } from './facts.ts';
import { type Fields, omitEmpty } from './fields.ts';

const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;

/** Options as the runtime gets them: those given, then podman's defaults. */
function allOptions({ type, options }: ContainerMount): string[] {
  const given = options.filter((option) => option !== 'nocopy');
  const has = (pattern: RegExp): boolean => given.some((option) => pattern.test(option));
  const added = [
    ...(has(/^r[ow]$/) ? [] : ['rw']),
    ...(has(PROPAGATION) ? [] : ['rprivate']),
    ...(type === 'bind' || has(/^(?:no)?suid$/) ? [] : ['nosuid']),
    ...(type === 'bind' || has(/^(?:no)?dev$/) ? [] : ['nodev']),
    ...(type === 'tmpfs' ? ['tmpcopyup'] : has(/^r?bind$/) ? [] : ['rbind']),
  ];
  return [...given, ...added];
}

/** `Mounts`: binds and volumes, no tmpfs. */
export const mountsData = (mounts: readonly ContainerMount[], { volumes }: InspectFacts): Fields[] =>
  mounts.filter(({ type }) => type !== 'tmpfs').map((mount) => mountData(mount, volumes));

function mountData(mount: ContainerMount, volumes: InspectFacts['volumes']): Fields {
  const isVolume = mount.type === 'volume';
  const options = allOptions(mount);
  const other = options.filter((option) => !PROPAGATION.test(option) && !/^(?:r[ow]|z|Z)$/.test(option));
  return omitEmpty(
    {
      Type: mount.type,
      Name: isVolume ? mount.source : '',
      Source: isVolume ? (volumes[mount.source] ?? '') : mount.source,
      Destination: mount.destination,
      Driver: isVolume ? 'local' : '',
      Mode: options.find((option) => option === 'z' || option === 'Z') ?? '',
      Options: other,
      RW: !options.includes('ro'),
      Propagation: options.find((option) => PROPAGATION.test(option)) ?? '',
    },
    'Name',
  );
}

/** `HostConfig.Binds`. */
export const bindsData = (mounts: readonly ContainerMount[]): string[] =>
  mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map((mount) => `${mount.source}:${mount.destination}:${allOptions(mount).join(',')}`);

/** `HostConfig.Tmpfs`. */
export const tmpfsData = (mounts: readonly ContainerMount[]): Record<string, string> =>
  Object.fromEntries(
    mounts
      .filter(({ type }) => type === 'tmpfs')
      .map((mount) => [mount.destination, allOptions(mount).join(',')]),
  );
