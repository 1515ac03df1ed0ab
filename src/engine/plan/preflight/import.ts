import {
  imageFindings,
  mountFindings,
  nameFindings,
  networkFindings,
  portFindings,
  volumeFindings,
} from './container.ts';
import { cpuFindings } from './cpu.ts';
import { type Finding, obstacle, ok, refuseObstacles, roughly, warning } from './finding.ts';
import { criuFindings, kernelFindings, runtimeFindings } from './programs.ts';
import { securityFindings } from './security.ts';
import type { ImageNeeds, ImportCheckOptions, ImportFacts } from './types.ts';

/** Whether this host can run the container of an archive, check by check; the most telling ones come first. Pure. */
export const importFindings = (facts: ImportFacts, options: ImportCheckOptions): readonly Finding[] => [
  ...rightsFindings(facts),
  ...runtimeFindings(facts),
  ...securityFindings(facts, options.trust),
  ...volumeFindings(facts, options),
  ...nameFindings(facts, options),
  ...cpuFindings(facts, options.ignoreCpu),
  ...kernelFindings(facts),
  ...criuFindings(facts),
  ...cgroupFindings(facts),
  ...connectionFindings(facts.needs, options),
  ...imageFindings(facts),
  ...networkFindings(facts.archive.config.network, facts),
  ...portFindings(options.publish ?? facts.archive.config.network.ports, facts.takenPorts),
  ...mountFindings(facts),
  ...spaceFindings(facts, options),
];

/** Refuses an import before anything is created: throws the first obstacle, in podman's words where it has them. */
export const refuseImport = (findings: readonly Finding[]): void => refuseObstacles(findings);

const rightsFindings = ({ isRoot }: ImportFacts): Finding[] =>
  isRoot ? [] : [obstacle('rights', 'NEEDS_ROOT', 'restoring a container requires root')];

/**
 * A container sees its cgroups at /sys/fs/cgroup, and those mounts are put back as they were: on a host with v2 nothing
 * stands for those of v1, and CRIU gives up ("No mapping for … mountpoint"). The other way depends on the host.
 */
function cgroupFindings({ archive, needs, host }: ImportFacts): Finding[] {
  const source = needs?.cgroupVersion ?? archive.facts?.host.cgroupVersion;
  const here = `v${host.cgroupVersion}`;
  if (source === undefined || source === host.cgroupVersion) return [ok('cgroups', here)];
  const sentence = `the checkpoint was made with cgroups v${source} and this host has ${here}`;
  const hint = `Restore it on a host with cgroups v${source}.`;
  return source === 1
    ? [obstacle('cgroups', 'RESTORE_REFUSED', `${sentence}: CRIU cannot put its /sys/fs/cgroup back`, hint)]
    : [warning('cgroups', `${sentence}: CRIU may fail to put its cgroups back`, hint)];
}

/** Connections and locks in the images, which CRIU takes up again only when told to. */
export function connectionFindings(
  needs: ImageNeeds | undefined,
  options: Pick<ImportCheckOptions, 'tcpEstablished' | 'tcpClose' | 'fileLocks'>,
): Finding[] {
  if (needs === undefined) return [];
  const { connections, locks } = needs;
  const found: Finding[] = [];
  if (connections > 0 && !options.tcpEstablished && !options.tcpClose) {
    found.push(
      obstacle(
        'connections',
        'RESTORE_REFUSED',
        `the checkpoint holds ${count(connections, 'established TCP connection')}`,
        'Use --tcp-established to keep them, or --tcp-close to restore them as closed.',
      ),
    );
  } else if (connections > 0) {
    found.push(
      ok('connections', `${connections} ${options.tcpClose ? 'to be closed' : 'to be taken up again'}`),
    );
  }
  if (locks > 0 && !options.fileLocks) {
    const sentence = `the checkpoint holds ${count(locks, 'file lock')}, which will not be taken again`;
    found.push(warning('locks', sentence, 'Use --file-locks to restore them.'));
  }
  return found;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** Bytes that are unpacked: the members, except those that are not asked for. Undefined while sizes are not known. */
export function neededBytes(
  { bytes, image }: Pick<ImportFacts, 'bytes' | 'image'>,
  { ignoreRootfs, ignoreVolumes }: Pick<ImportCheckOptions, 'ignoreRootfs' | 'ignoreVolumes'>,
): number | undefined {
  if (bytes === undefined) return undefined;
  return (
    bytes.rest +
    (image.present ? 0 : bytes.image) +
    (ignoreRootfs ? 0 : bytes.rootfs) +
    (ignoreVolumes ? 0 : bytes.volumes)
  );
}

function spaceFindings(facts: ImportFacts, options: ImportCheckOptions): Finding[] {
  const { directory, free } = facts.space;
  const needed = neededBytes(facts, options);
  if (needed === undefined) return [ok('space', `${roughly(free)} are free in ${directory}`)];
  if (needed <= free) {
    return [ok('space', `the checkpoint takes ${roughly(needed)}, and ${roughly(free)} are free`)];
  }
  const sentence = `the checkpoint takes ${needed} bytes and ${directory} has ${free} free`;
  return [
    obstacle('space', 'NO_SPACE', sentence, 'Free some space, or give a --root on a larger file system.'),
  ];
}
