import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig } from '../../../model/container.ts';
import { sampleContainer } from '../../../model/testing.ts';
import { readConfigDump } from './read.ts';
import { podmanDump } from './testing.ts';
import { configDump, specDump } from './write.ts';

const [, SPEC] = podmanDump();
const { network, security } = sampleContainer().config;

/** Uses every field of a configuration. */
const RICH: Partial<ContainerConfig> = {
  entrypoint: ['/entry'],
  env: ['A=1', 'B=two\nlines', 'E='],
  user: 'postgres',
  workdir: '/srv',
  tty: true,
  interactive: true,
  labels: { a: 'b', 'with space': 'x' },
  annotations: { mine: 'yes' },
  mounts: [
    { type: 'volume', source: 'data', destination: '/data', options: ['ro', 'nocopy'] },
    { type: 'volume', source: 'ab'.repeat(32), destination: '/anon', options: [], anonymous: true },
    { type: 'bind', source: '/srv/x', destination: '/x', options: ['z', 'rshared'] },
    { type: 'tmpfs', source: '', destination: '/t', options: ['size=64m', 'mode=1777'] },
  ],
  devices: [{ hostPath: '/dev/fuse', containerPath: '/dev/f', permissions: 'rw' }],
  network: {
    ...network,
    networks: [
      { name: 'b', staticIps: ['10.1.2.3', 'fd00::1'], staticMac: '02:00:00:00:00:01', aliases: ['x'] },
      { name: 'a', staticIps: [], aliases: [], interfaceName: 'lan0' },
    ],
    ports: [{ hostIp: '127.0.0.1', containerPort: 80, hostPort: 0, range: 2, protocol: 'udp' }],
    dnsServers: ['9.9.9.9'],
    dnsSearch: ['.'],
    dnsOptions: ['ndots:2'],
    addHosts: [{ host: 'gw', ip: 'host-gateway' }],
  },
  ipc: { mode: 'none' },
  pid: { mode: 'host' },
  uts: { mode: 'ns', target: '/proc/1/ns/uts' },
  security: {
    ...security,
    capAdd: ['CAP_NET_ADMIN'],
    capDrop: ['ALL'],
    noNewPrivileges: true,
    seccomp: 'unconfined',
    apparmor: 'unconfined',
    mask: ['/a'],
    unmask: ['ALL', '/proc/*'],
    readOnlyRootfs: true,
  },
  resources: {
    memory: 1000,
    memorySwap: -1,
    cpus: 1.5,
    cpusetCpus: '0-1',
    pids: -1,
    ulimits: [{ name: 'core', soft: -1, hard: -1 }],
  },
  stopTimeout: 0,
  autoRemove: true,
  logDriver: 'none',
  logSizeMax: 1 << 20,
  cgroupManager: 'systemd',
};

const travelled = ({ layers: _layers, ...config }: ContainerConfig) => ({ ...config, logPath: '' });

test('What cryopod writes it reads back equal, but for layers and the path of the log', () => {
  for (const changes of [{}, RICH, { security: { ...security, privileged: true } }]) {
    const container = sampleContainer(changes);
    assert.deepEqual(readConfigDump(configDump(container), SPEC).config, travelled(container.config));
  }
});

test('What a cryopod container would get of the host is a risk, whatever the rest of the archive says', () => {
  const { risks } = readConfigDump(configDump(sampleContainer(RICH)), SPEC);
  assert.deepEqual(
    risks.map(({ kind }) => kind),
    ['bind-mount', 'capability', 'device', 'host-namespace', 'host-namespace', 'seccomp', 'unmasked'],
  );
  assert.match(risks[0]?.sentence ?? '', /mounts \/srv\/x of the host at \/x, writable, mounts in it reach/);
});

test('podman that drops cryopod’s own part still has a container that cryopod knows', () => {
  const container = sampleContainer({ ...RICH, uts: { mode: 'private' } });
  const { cryopod: _own, ...podmans } = JSON.parse(configDump(container));
  const { config } = readConfigDump(JSON.stringify(podmans), SPEC);
  assert.deepEqual(
    config.network.networks.map(({ name, staticIps }) => [name, staticIps]),
    [
      ['b', ['10.1.2.3', 'fd00::1']],
      ['a', []],
    ],
  );
  assert.deepEqual(
    [config.labels, config.user, config.stopTimeout],
    [container.config.labels, 'postgres', 0],
  );
  assert.equal(config.mounts.find(({ source }) => source === 'data')?.options.includes('ro'), true);
  assert.deepEqual(config.network.addHosts, [{ host: 'gw', ip: 'host-gateway' }]);
});

test('A host port that was chosen at the start is the one in the archive: podman never chooses at a restore', () => {
  const port = { hostIp: '', containerPort: 80, hostPort: 0, range: 1, protocol: 'tcp' as const };
  const container = sampleContainer(
    { network: { ...network, ports: [port] } },
    { ports: [{ ...port, hostPort: 40_123 }] },
  );
  const { newPortMappings, cryopod } = JSON.parse(configDump(container));
  assert.equal(newPortMappings[0].host_port, 40_123);
  assert.equal(cryopod.config.network.ports[0].hostPort, 0);
});

test('A runtime that was given as a path is known by its name elsewhere', () => {
  const container = sampleContainer({ runtime: '/opt/bin/crun' });
  assert.equal(JSON.parse(configDump(container)).runtime, 'crun');
  assert.equal(readConfigDump(configDump(container), SPEC).config.runtime, 'crun');
});

test('A tampered cryopod part is refused', () => {
  const dump = JSON.parse(configDump(sampleContainer()));
  for (const change of [{ id: 'x' }, { mounts: [{ type: 'bind', source: 'x' }] }, { hostname: 'a b' }]) {
    const json = JSON.stringify({
      ...dump,
      cryopod: { version: 1, config: { ...dump.cryopod.config, ...change } },
    });
    assert.throws(() => readConfigDump(json, SPEC), { code: 'ARCHIVE_INVALID' });
  }
  const newer = JSON.stringify({ ...dump, cryopod: { version: 2, config: {} } });
  assert.throws(() => readConfigDump(newer, SPEC), { code: 'ARCHIVE_INVALID', hint: 'Use a newer cryopod.' });
});

const bundle = {
  process: { args: ['a'], rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }] },
  root: { path: '/store/merged', readonly: true },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: [] },
    { destination: '/etc/hosts', type: 'bind', source: '/store/hosts', options: ['bind'] },
    { destination: '/run/.containerenv', type: 'bind', source: '/store/env', options: ['bind'] },
    { destination: '/dev/shm', type: 'bind', source: '/store/shm', options: ['bind'] },
    { destination: '/data', type: 'bind', source: '/store/volumes/data/_data', options: ['rbind'] },
    { destination: '/x', type: 'bind', source: '/srv/x', options: ['rbind'] },
  ],
  annotations: { mine: 'yes' },
  linux: {
    cgroupsPath: '/cryopod-1',
    namespaces: [{ type: 'pid' }, { type: 'network', path: '/store/netns/1' }],
    maskedPaths: ['/proc/kcore'],
  },
};

test('spec.dump leaves out this host’s paths, keeps the user’s and gives volumes podman’s', () => {
  const spec = JSON.parse(specDump(sampleContainer(RICH), JSON.stringify(bundle)));
  assert.deepEqual(
    spec.mounts.map(({ destination, source }: Record<string, string>) => [destination, source]),
    [
      ['/proc', 'proc'],
      ['/data', '/var/lib/containers/storage/volumes/data/_data'],
      ['/x', '/srv/x'],
    ],
  );
  assert.deepEqual(spec.linux, {
    namespaces: [{ type: 'pid' }, { type: 'network' }],
    maskedPaths: ['/proc/kcore'],
  });
  assert.deepEqual(spec.root, { path: 'rootfs', readonly: true });
  assert.equal(spec.annotations['io.podman.annotations.autoremove'], 'TRUE');
  assert.equal(spec.annotations.mine, 'yes');
});

test('spec.dump keeps 64-bit numbers as they are', () => {
  const json = JSON.stringify(bundle).replace('"hard":1', '"hard":18446744073709551615');
  assert.match(specDump(sampleContainer(), json), /"hard": 18446744073709551615\n/);
});
