import type { ArchiveFacts } from '../../../archive/facts.ts';
import type { ContainerConfig } from '../../../model/container.ts';
import { sampleContainer } from '../../../model/testing.ts';
import type { Finding } from './finding.ts';
import type { ArchiveView, ImageNeeds, ImportCheckOptions, ImportFacts } from './types.ts';

export const FLAGS = ['fpu', 'sse2', 'avx', 'avx2', 'avx512f', 'erms'];

export const SOURCE: ArchiveFacts = {
  version: 1,
  cryopod: '0.1.0',
  created: '2026-11-24T09:06:24.668000000Z',
  host: {
    kernel: '6.1.0-12',
    architecture: 'amd64',
    cpu: { model: 'Source', flags: FLAGS },
    distribution: { id: 'debian', version: '12' },
    cgroupVersion: 2,
  },
  runtime: { name: 'runc', version: '1.1.5' },
  criu: { version: '4.1' },
  conmon: { version: '2.1.6' },
};

export const NEEDS: ImageNeeds = {
  machine: 'x86_64',
  xstate: 0n,
  lsm: 'none',
  profiles: [],
  cgroupVersion: 2,
  connections: 0,
  locks: 0,
  privileges: {
    capabilities: 0n,
    unfiltered: false,
    filters: [],
    gains: true,
    mounts: [],
    hostNamespaces: [],
    strayCgroups: [],
    networkImages: [],
  },
  mounts: [],
};

export const OPTIONS: ImportCheckOptions = {
  ignoreRootfs: false,
  ignoreVolumes: false,
  ignoreStaticIp: false,
  tcpEstablished: false,
  tcpClose: false,
  fileLocks: false,
  trust: false,
  ignoreCpu: false,
};

/** A mount of a volume. */
export const volume = (source: string, anonymous?: boolean) =>
  ({ type: 'volume', source, destination: `/${source}`, options: [], anonymous }) as const;

/** An archive of a small container, made by cryopod. */
export const archive = (
  config: Partial<ContainerConfig> = {},
  more: Partial<ArchiveView> = {},
): ArchiveView => ({
  name: 'db.tar.zst',
  config: sampleContainer(config).config,
  risks: [],
  facts: SOURCE,
  networks: undefined,
  members: undefined,
  directory: '/staging',
  ...more,
});

export const HOST: ImportFacts['host'] = {
  architecture: 'amd64',
  machine: 'x86_64',
  cpu: { model: 'Here', flags: FLAGS },
  kernel: '6.1.0-13',
  cgroupVersion: 2,
  lsm: 'none',
  profiles: undefined,
};

/** A host on which everything goes well. */
export const facts = (change: Partial<ImportFacts> = {}): ImportFacts => ({
  archive: archive(),
  needs: NEEDS,
  isRoot: true,
  host: HOST,
  criu: { version: '4.2.1', defects: [] },
  runtime: { name: 'runc', asked: false },
  image: { present: true, inArchive: false },
  holders: {},
  takenPorts: [],
  missingNetworks: [],
  addressProblems: [],
  existingVolumes: [],
  missingSources: [],
  leaks: { ambiguous: [], visible: [], writable: [], openCalls: [] },
  bytes: { image: 0, rootfs: 100, volumes: 100, rest: 800 },
  space: { directory: '/store', free: 1000 },
  ...change,
});

/** A container that has what another one wants. */
export const OTHER = { id: 'b'.repeat(64), name: 'other' };

/** What is not as it should be. */
export const notable = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ level }) => level !== 'ok');
