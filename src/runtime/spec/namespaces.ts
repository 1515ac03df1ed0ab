import type { NamespaceChoice, SpecFacts } from '../types.ts';
import type { OciNamespace } from './types.ts';

/** The namespaces that the container does not share with the host. */
export function containerNamespaces({ namespaces, host }: SpecFacts): OciNamespace[] {
  const of = (type: OciNamespace['type'], choice: NamespaceChoice): OciNamespace[] => {
    if (choice === 'host') return [];
    return choice === 'private' ? [{ type }] : [{ type, path: choice.path }];
  };
  return [
    ...of('pid', namespaces.pid),
    ...of('network', namespaces.network),
    ...of('ipc', namespaces.ipc),
    ...of('uts', namespaces.uts),
    { type: 'mount' },
    // With v1, runtimes bind the container's part of each hierarchy; podman shares the namespace there too.
    ...(host.cgroupVersion === 2 ? of('cgroup', 'private') : []),
  ];
}
