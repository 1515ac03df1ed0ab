import type { NetworkConfig } from '../../../model/container.ts';
import { nameProblem } from '../../../model/ids.ts';
import type { PortMapping } from '../../../model/network.ts';
import { type Finding, obstacle, ok, warning } from './finding.ts';
import type { ImportCheckOptions, ImportFacts } from './types.ts';

export function volumeFindings(
  { archive, existingVolumes }: ImportFacts,
  options: ImportCheckOptions,
): Finding[] {
  const volumes = archive.config.mounts.filter(({ type }) => type === 'volume');
  if (volumes.length === 0) return [];
  // A container of another name gets anonymous volumes of its own.
  const wanted = volumes.filter(({ anonymous }) => options.name === undefined || anonymous !== true);
  const existing = wanted.filter(({ source }) => existingVolumes.includes(source));
  if (options.ignoreVolumes) {
    return [ok('volumes', `contents are not restored; ${existing.length} of ${volumes.length} exist here`)];
  }
  if (existing.length === 0) return [ok('volumes', `${volumes.length} to be made`)];
  return existing.map(({ source }) =>
    obstacle(
      'volumes',
      'NAME_IN_USE',
      `volume with name ${source} already exists. Use --ignore-volumes to not restore content of volumes`,
      `Use --ignore-volumes, or remove it first: cryopod volume rm ${source}`,
    ),
  );
}

/** Name and ID must be free, and the name one that a container may have; under another name the container gets another ID. */
export function nameFindings({ archive, holders }: ImportFacts, options: ImportCheckOptions): Finding[] {
  const name = options.name ?? archive.config.name;
  const { id } = archive.config;
  const hint = `Give another name with --name, or remove it first: cryopod rm ${holders.name?.name ?? holders.id?.name ?? name}`;
  const found: Finding[] = [];
  const problem = nameProblem(name, 'container');
  if (problem !== undefined) {
    found.push(obstacle('name', 'USAGE', problem));
  } else if (holders.name !== undefined) {
    const sentence = `creating container storage: the container name "${name}" is already in use by ${holders.name.id}. You have to remove that container to be able to reuse that name: that name is already in use`;
    found.push(obstacle('name', 'NAME_IN_USE', sentence, hint));
  } else {
    found.push(ok('name', `${name} is free`));
  }
  // The same container under its own name is told once.
  if (options.name !== undefined || (holders.id !== undefined && holders.id.id === holders.name?.id)) {
    return found;
  }
  if (holders.id === undefined) return [...found, ok('id', `${id.slice(0, 12)} is free`)];
  const sentence = `creating container storage: the container ID "${id}" is already in use by the container ${holders.id.name}: that ID is already in use`;
  return [...found, obstacle('id', 'NAME_IN_USE', sentence, hint)];
}

export function imageFindings({ archive, image }: ImportFacts): Finding[] {
  const { imageId, imageName } = archive.config;
  const id = imageId.slice(0, 12);
  if (image.present) return [ok('image', `${imageName} (${id}) is here`)];
  if (image.inArchive) return [ok('image', `${imageName} (${id}) comes with the archive`)];
  if (imageName === '') {
    return [
      obstacle(
        'image',
        'NO_SUCH_IMAGE',
        `the base image ${id} is not here, and the archive does not tell its name`,
        'Bring it with cryopod load, or export the container with --with-image.',
      ),
    ];
  }
  const hint = `Where the checkpoint was made: cryopod save -o image.tar ${id}, and here: cryopod load -i image.tar; or export with --with-image.`;
  if (image.otherId !== undefined) {
    const sentence = `the base image ${imageName} is here as another build (${image.otherId.slice(0, 12)} instead of ${id}): processes can go on only where the files that they use are the same`;
    return [warning('image', sentence, hint)];
  }
  if (imageName.startsWith('localhost/')) {
    const sentence = `the base image ${imageName} with the ID ${imageId} is not here, and no registry has it`;
    return [obstacle('image', 'NO_SUCH_IMAGE', sentence, hint)];
  }
  return [warning('image', `the base image ${imageName} (${id}) is not here: it will be pulled`, hint)];
}

export function networkFindings(
  { mode, networks }: NetworkConfig,
  facts: Pick<ImportFacts, 'missingNetworks' | 'addressProblems'>,
): Finding[] {
  if (mode !== 'bridge') return [ok('network', mode)];
  const found = [
    ...facts.missingNetworks.map(({ name, subnets }) =>
      obstacle(
        'network',
        'NO_SUCH_NETWORK',
        `unable to find network with name or ID ${name}: network not found`,
        `Make it first: cryopod network create ${subnets.map((each) => `--subnet ${each} `).join('')}${name}`,
      ),
    ),
    ...facts.addressProblems.map(({ message, hint }) =>
      obstacle(
        'network',
        'ADDRESS_IN_USE',
        message,
        ['Use --ignore-static-ip for a new address.', ...(hint === undefined ? [] : [hint])].join(' '),
      ),
    ),
  ];
  const names = networks.map(({ name }) => name).join(', ') || 'the default network';
  return found.length > 0 ? found : [ok('network', names)];
}

export function portFindings(
  ports: readonly PortMapping[],
  takenPorts: ImportFacts['takenPorts'],
): Finding[] {
  if (ports.length === 0) return [];
  if (takenPorts.length === 0) {
    const list = ports.map(({ hostPort, protocol }) => `${hostPort === 0 ? 'any' : hostPort}/${protocol}`);
    return [ok('ports', `${list.join(', ')} can be published`)];
  }
  return takenPorts.map(({ message, hint }) =>
    obstacle('ports', 'PORT_IN_USE', message, hint ?? 'Publish another one with --publish.'),
  );
}

export function mountFindings({ archive, missingSources }: ImportFacts): Finding[] {
  const binds =
    archive.config.mounts.filter(({ type }) => type === 'bind').length + archive.config.devices.length;
  if (binds === 0) return [];
  if (missingSources.length === 0) return [ok('mounts', `all ${binds} host paths exist`)];
  return missingSources.map(({ source, destination }) =>
    obstacle(
      'mounts',
      'RESTORE_REFUSED',
      `cannot mount ${source} at ${destination}: there is no such file or directory on this host`,
      'Create it on the host first.',
    ),
  );
}
