import type { ImageNamespace } from '../../../criu/image-namespaces.ts';
import { boundingSet, CAPABILITIES, capabilityNames } from '../../../model/capabilities.ts';
import { asRisk, type Finding, obstacle } from './finding.ts';
import type { ImageNeeds, ImportFacts } from './types.ts';

type Config = ImportFacts['archive']['config'];

const HOST_MOUNTS =
  "has processes in the host's mount namespace, so that their root directory would be the host's";

/**
 * CRIU gives processes what their images say, whatever the container's configuration does: an archive whose images say
 * more than its configuration asks for as much as one that says so. Pure.
 */
export function imageSecurityFindings({ archive, needs, leaks }: ImportFacts, trust: boolean): Finding[] {
  const { name, config } = archive;
  return imageRisks(config, needs, leaks).map((sentence) =>
    sentence === HOST_MOUNTS ? refused(name, sentence) : asRisk(name, sentence, trust),
  );
}

/** No word of the user's makes sense of it. */
const refused = (archive: string, sentence: string): Finding =>
  obstacle(
    'security',
    'RESTORE_REFUSED',
    `the container in ${archive} ${sentence}`,
    'No engine makes such an archive: look into where it comes from.',
  );

/** The same as sentences that follow "the container", the worst first. Pure. */
export function imageRisks(
  config: Config,
  needs: ImageNeeds | undefined,
  leaks: ImportFacts['leaks'],
): string[] {
  if (needs === undefined) return [];
  return [
    ...(needs.privileges.hostNamespaces.includes('mount') ? [HOST_MOUNTS] : []),
    ...processRisks(config, needs),
    ...namespaceRisks(config, needs),
    ...listed('uses cgroups of the host that are not its own', needs.privileges.strayCgroups),
    ...listed(
      'has network settings that programs of the host would read as root',
      needs.privileges.networkImages,
    ),
    ...mountRisks(config, needs),
    ...leakRisks(leaks),
  ];
}

function processRisks({ security }: Config, { privileges }: ImageNeeds): string[] {
  const { capabilities, unfiltered, gains } = privileges;
  const allowed = boundingSet(security, { capabilities: CAPABILITIES }).names;
  const wider = security.privileged
    ? []
    : capabilityNames(capabilities).filter((name) => !allowed.includes(name));
  return [
    ...listed('has processes with more capabilities than its configuration gives', wider),
    ...(unfiltered && isFiltered(security)
      ? ['has processes without the seccomp filter that its configuration gives']
      : []),
    ...(gains && security.noNewPrivileges
      ? ['has processes that may gain privileges, which its configuration forbids']
      : []),
  ];
}

/** Another profile than the default one is a risk of its own, and only its own host knows what it refuses. */
const isFiltered = ({ seccomp, privileged }: Config['security']): boolean =>
  seccomp === undefined && !privileged;

/** How messages name a namespace. */
const namesOfHost: Readonly<Record<Exclude<ImageNamespace, 'mount'>, string>> = {
  pid: 'PID',
  network: 'network',
  ipc: 'IPC',
  uts: 'UTS',
  cgroup: 'cgroup',
};

/** With cgroups v1 no engine gives a cgroup namespace. One that is joined by its path may be the host's. */
function namespaceRisks(config: Config, { privileges, cgroupVersion }: ImageNeeds): string[] {
  const isPrivate = (kind: Exclude<ImageNamespace, 'mount'>): boolean =>
    kind === 'cgroup' ? cgroupVersion === 2 : !['host', 'ns'].includes(config[kind].mode);
  return privileges.hostNamespaces
    .filter((kind) => kind !== 'mount')
    .filter(isPrivate)
    .map((kind) => `has processes in the host's ${namesOfHost[kind]} namespace, unlike its configuration`);
}

/** A directory of the host that the configuration asks for by its name, which is a risk of its own whatever lies there. */
export const isBind = ({ mounts }: Config, { key }: ImageNeeds['mounts'][number]): boolean =>
  mounts.some(({ type, destination }) => type === 'bind' && destination === key);

function mountRisks(config: Config, { privileges, mounts }: ImageNeeds): string[] {
  const { security } = config;
  const places = config.mounts
    .filter(({ options }) => options.includes('ro'))
    .map(({ destination }) => destination);
  const isReadOnly = (one: ImageNeeds['mounts'][number]): boolean =>
    places.some((place) => one.destination === place || one.key === place) ||
    (security.readOnlyRootfs && one.destination === '/') ||
    (!security.privileged && ['sysfs', 'cgroup', 'cgroup2'].includes(one.type) && !isBind(config, one));
  return [
    ...privileges.mounts.map(
      ({ type, source, destination }) =>
        `has a file system of its own at ${destination}: ${type || 'unknown'} of ${source}`,
    ),
    ...mounts
      .filter((one) => isReadOnly(one) && !one.readOnly)
      .map(({ destination }) => `has ${destination} writable, which its configuration makes read-only`),
  ];
}

const listed = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${what}: ${names.join(', ')}`];

function leakRisks({ ambiguous, openCalls, visible, writable }: ImportFacts['leaks']): string[] {
  return [
    ...listed(
      'has processes whose seccomp filter lets system calls through that the default one refuses',
      openCalls,
    ),
    ...listed('has two mounts in one place, of which one may hide what it should', ambiguous),
    ...listed('sees files of the kernel that its configuration hides', visible),
    ...listed('may write to files of the kernel that its configuration protects', writable),
  ];
}
