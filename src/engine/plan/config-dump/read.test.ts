import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, isCryopodError } from '../../../model/errors.ts';
import { readConfigDump } from './read.ts';
import { ANONYMOUS, PODMAN_LINUX, PODMAN_MOUNTS, PODMAN_PROCESS, podmanDump } from './testing.ts';

const read = (...dump: Parameters<typeof podmanDump>) => readConfigDump(...podmanDump(...dump));
const kinds = (...dump: Parameters<typeof podmanDump>) => read(...dump).risks.map(({ kind }) => kind);
const refused = (code: ErrorCode, pattern: RegExp, ...dump: Parameters<typeof podmanDump>) =>
  assert.throws(
    () => read(...dump),
    (error) => isCryopodError(error, code) && pattern.test(error.message),
  );
const withMount = (mount: object) => ({ mounts: [...PODMAN_MOUNTS, mount] });

test('A container of podman’s is what cryopod would make of the same options', () => {
  const { config, risks, dropped } = read();
  assert.deepEqual([risks, dropped], [[], []]);
  assert.deepEqual(config.env, ['FOO=bar', 'PATH=/bin']);
  assert.deepEqual([config.entrypoint, config.command], [[], ['sleep', '1000']]);
  assert.deepEqual(config.mounts, [
    {
      type: 'volume',
      source: ANONYMOUS,
      destination: '/anon',
      options: ['nosuid', 'nodev'],
      anonymous: true,
    },
    { type: 'volume', source: 'named', destination: '/data', options: ['nosuid', 'nodev'] },
  ]);
  assert.deepEqual(config.network.networks, [
    { name: 'mynet', staticIps: ['10.77.0.5'], staticMac: undefined, aliases: [], interfaceName: undefined },
  ]);
  assert.deepEqual(config.network.ports, [
    { hostIp: '', containerPort: 80, hostPort: 18_080, range: 1, protocol: 'tcp' },
  ]);
  assert.equal(config.resources.memory, 67_108_864);
  assert.equal(config.resources.memorySwap, 134_217_728);
  assert.deepEqual([config.resources.ulimits, config.resources.pids], [[], undefined]);
  assert.deepEqual([config.ipc.mode, config.pid.mode, config.uts.mode], ['shareable', 'private', 'private']);
  assert.deepEqual([config.runtime, config.logDriver, config.logPath], ['runc', 'k8s-file', '']);
  assert.deepEqual(config.annotations, {});
  assert.deepEqual([config.security.mask, config.security.unmask], [[], []]);
});

test('Networks of podman 6 keep their order; those of older ones go by their interfaces; podman 3 has only names', () => {
  const names = (config: Parameters<typeof podmanDump>[0]) =>
    read(config).config.network.networks.map(({ name }) => name);
  const two = { b: { interface_name: 'eth0' }, a: { interface_name: 'eth1' } };
  assert.deepEqual(names({ newNetworks: two }), ['b', 'a']);
  assert.deepEqual(names({ orderedNetworks: [{ name: 'z' }, { name: 'y' }], newNetworks: two }), ['z', 'y']);
  const old = read({
    newNetworks: undefined,
    newPortMappings: undefined,
    networks: ['old'],
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' }],
  }).config.network;
  assert.equal(old.networks[0]?.name, 'old');
  assert.equal(old.ports[0]?.hostPort, 8080);
  assert.deepEqual(names({ newNetworks: undefined }), ['podman']);
});

test('A mount of a host directory is a risk, also where podman has a file of its own', () => {
  const mount = { destination: '/mnt', type: 'bind', source: '/srv', options: ['rbind', 'ro', 'rprivate'] };
  const { config, risks } = read({}, withMount(mount));
  assert.deepEqual(config.mounts.at(-1), {
    type: 'bind',
    source: '/srv',
    destination: '/mnt',
    options: ['ro'],
  });
  assert.deepEqual(risks, [{ kind: 'bind-mount', sentence: 'mounts /srv of the host at /mnt, read-only' }]);
  const hosts = { userVolumes: ['/etc/hosts'] };
  assert.match(read(hosts).risks[0]?.sentence ?? '', /\/etc\/hosts, writable$/);
});

test('What podman puts at its own places is never taken from the host', () => {
  const mounts = [{ destination: '/etc/hosts', type: 'bind', source: '/etc/shadow', options: ['bind'] }];
  const { config, risks } = read({ namedVolumes: [] }, { mounts });
  assert.deepEqual([config.mounts, risks], [[], []]);
});

test('A bind of the host’s subscriptions becomes an anonymous volume still to be named', () => {
  const mount = { destination: '/run/secrets', type: 'bind', source: '/run/x/secrets', options: ['bind'] };
  const last = read({}, withMount(mount)).config.mounts.at(-1);
  assert.deepEqual([last?.type, last?.source, last?.anonymous], ['volume', '', true]);
});

test('Privileges, capabilities, devices, namespaces, seccomp and unmasked paths are risks', () => {
  assert.deepEqual(kinds({ privileged: true }), ['privileged']);
  const bounding = [...PODMAN_PROCESS.capabilities.bounding, 'CAP_SYS_ADMIN'];
  assert.deepEqual(kinds({}, { process: { ...PODMAN_PROCESS, capabilities: { bounding } } }), ['capability']);
  const device = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 };
  assert.deepEqual(kinds({}, { linux: { ...PODMAN_LINUX, devices: [device] } }), ['device']);
  assert.deepEqual(kinds({}, { linux: { ...PODMAN_LINUX, namespaces: [] } }), [
    'host-namespace',
    'host-namespace',
    'host-namespace',
    'host-namespace',
  ]);
  const joined = [...PODMAN_LINUX.namespaces.slice(1), { type: 'pid', path: '/proc/1/ns/pid' }];
  assert.deepEqual(kinds({}, { linux: { ...PODMAN_LINUX, namespaces: joined } }), ['host-namespace']);
  assert.deepEqual(kinds({}, { linux: { ...PODMAN_LINUX, seccomp: undefined } }), ['seccomp']);
  assert.deepEqual(kinds({}, { linux: { ...PODMAN_LINUX, maskedPaths: [] } }), ['unmasked']);
});

test('What podman 5.8 no longer hides is no risk, and what it hides beside is kept', () => {
  const maskedPaths = [
    ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi'],
    ...['/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware'],
    ...['/sys/fs/selinux', '/proc/interrupts', '/sys/devices/virtual/powercap'],
  ];
  const { config, risks } = read({}, { linux: { ...PODMAN_LINUX, maskedPaths } });
  assert.deepEqual(risks, []);
  assert.deepEqual(config.security.unmask, []);
});

test('A network that is called bridge without a namespace of its own is the host’s', () => {
  const namespaces = PODMAN_LINUX.namespaces.filter(({ type }) => type !== 'network');
  const { config, risks } = read({}, { linux: { ...PODMAN_LINUX, namespaces } });
  assert.equal(config.network.mode, 'host');
  assert.deepEqual(config.network.ports, []);
  assert.equal(risks.length, 1);
});

test('A namespace that podman did not make is a container without a network', () => {
  const namespaces = [
    { type: 'network' },
    ...PODMAN_LINUX.namespaces.filter(({ type }) => type !== 'network'),
  ];
  const { config } = read(
    { networkMode: undefined, createNetNS: false, newNetworks: undefined },
    { linux: { ...PODMAN_LINUX, namespaces } },
  );
  assert.deepEqual([config.network.mode, config.network.networks], ['none', []]);
});

test('Annotations that steer programs and hooks are left out and told; the user’s stay', () => {
  const annotations = {
    mine: '1',
    'org.criu.config': '/etc/x',
    'run.oci.hooks.stdout': '/x',
    'org.systemd.property.MemoryMax': '1',
    'org.systemd.property.TimeoutStopUSec': 'uint64 10000000',
  };
  const hooks = { prestart: [{ path: '/bin/evil' }] };
  const { config, risks, dropped } = read({}, { annotations, hooks });
  assert.deepEqual(config.annotations, { mine: '1' });
  assert.deepEqual(risks, []);
  assert.deepEqual(dropped, [
    'hooks of the OCI runtime',
    'the annotation org.criu.config',
    'the annotation run.oci.hooks.stdout',
    'the annotation org.systemd.property.MemoryMax',
  ]);
});

test('Dropping all capabilities is read back as that', () => {
  const process = { ...PODMAN_PROCESS, capabilities: { bounding: ['CAP_NET_RAW'] } };
  const { security } = read({}, { process }).config;
  assert.deepEqual([security.capAdd, security.capDrop], [['CAP_NET_RAW'], ['ALL']]);
});

test('An entrypoint of the image is what stands before the command', () => {
  const process = { ...PODMAN_PROCESS, args: ['/entry', 'sleep', '1000'] };
  assert.deepEqual(read({}, { process }).config.entrypoint, ['/entry']);
  const other = read({ command: ['other'], entrypoint: ['/entry'] }, { process }).config;
  assert.deepEqual([other.entrypoint, other.command], [['/entry'], ['sleep', '1000']]);
});

test('What cryopod does not have is refused, with the reason', () => {
  refused('RESTORE_REFUSED', /restore pod container/, { pod: 'ab'.repeat(32) });
  refused('RESTORE_REFUSED', /with dependencies/, { Dependencies: ['ab'.repeat(32)] });
  refused('RESTORE_REFUSED', /user namespace/, { idMappingsOptions: { AutoUserNs: true } });
  refused('RESTORE_REFUSED', /secrets/, { secrets: [{ name: 'x' }] });
  refused('RESTORE_REFUSED', /overlay/, { overlayVolumes: [{ dest: '/x' }] });
  refused('RESTORE_REFUSED', /container:abc/, { networkMode: 'container:abc' });
  refused('RESTORE_REFUSED', /option "O"/, {
    namedVolumes: [{ volumeName: 'a', dest: '/a', options: ['O'] }],
  });
  refused('RUNTIME_UNSUPPORTED', /"\/tmp\/evil"/, { runtime: '/tmp/evil' });
});

test('Names, IDs, paths and addresses that could reach elsewhere make the archive invalid', () => {
  refused('ARCHIVE_INVALID', /id: /, { id: '../../etc' });
  refused('ARCHIVE_INVALID', /name: /, { name: 'a/b' });
  refused('ARCHIVE_INVALID', /volumeName/, { namedVolumes: [{ volumeName: '../x', dest: '/a' }] });
  refused('ARCHIVE_INVALID', /destination/, {}, withMount({ destination: '/../etc', type: 'bind' }));
  refused('ARCHIVE_INVALID', /destination/, {}, withMount({ destination: '/', type: 'bind', source: '/x' }));
  refused('ARCHIVE_INVALID', /source/, {}, withMount({ destination: '/a', type: 'bind', source: 'x' }));
  refused('ARCHIVE_INVALID', /hostname/, {}, { hostname: 'a\nnameserver' });
  refused('ARCHIVE_INVALID', /addHosts/, { hostsAdd: ['a b:1.2.3.4'] });
  refused('ARCHIVE_INVALID', /dnsSearch/, { dnsSearch: ['a\nnameserver 1.2.3.4'] });
  refused('ARCHIVE_INVALID', /newNetworks/, { newNetworks: { '../x': {} } });
  refused('ARCHIVE_INVALID', /protocol/, { newPortMappings: [{ container_port: 1, protocol: 'x' }] });
  refused('ARCHIVE_INVALID', /hostPort/, { newPortMappings: [{ container_port: 1, host_port: 70_000 }] });
  refused('ARCHIVE_INVALID', /names no image/, { rootfsImageID: undefined });
});

test('Text that is no JSON, or far too much of it, makes the archive invalid', () => {
  const [config, spec] = podmanDump();
  for (const [a, b] of [
    ['', spec],
    ['{', spec],
    ['null', spec],
    [config, '[]'],
    [`${config}${' '.repeat(9 << 20)}`, spec],
  ] as const) {
    assert.throws(
      () => readConfigDump(a, b),
      (error) => isCryopodError(error, 'ARCHIVE_INVALID'),
    );
  }
});
