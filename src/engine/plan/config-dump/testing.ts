/** config.dump and spec.dump as podman 4.3.1 writes them, shortened, for tests; `config` and `spec` replace fields. */
export function podmanDump(
  config: Readonly<Record<string, unknown>> = {},
  spec: Readonly<Record<string, unknown>> = {},
): readonly [config: string, spec: string] {
  return [JSON.stringify({ ...CONFIG, ...config }), JSON.stringify({ ...SPEC, ...spec })];
}

const ID = '4e'.repeat(32);
export const ANONYMOUS = '7b'.repeat(32);
const DEFAULT_OPTIONS = ['rw', 'rprivate', 'nosuid', 'nodev', 'rbind'];
const USERDATA = `/run/containers/storage/overlay-containers/${ID}/userdata`;

const bind = (destination: string, source: string) => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', 'rprivate'],
});

const CONFIG = {
  id: ID,
  name: 'c1',
  lockID: 0,
  CreateCommand: ['podman', 'run', '-d', 'busybox'],
  RawImageName: 'localhost/busybox:latest',
  idMappingsOptions: { HostUIDMapping: true, HostGIDMapping: true, UIDMap: null, AutoUserNs: false },
  Dependencies: null,
  rootfsImageID: 'a8'.repeat(32),
  rootfsImageName: 'localhost/busybox:latest',
  shmSize: 65_536_000,
  namedVolumes: [
    { volumeName: ANONYMOUS, dest: '/anon', options: DEFAULT_OPTIONS },
    { volumeName: 'named', dest: '/data', options: DEFAULT_OPTIONS },
  ],
  privileged: false,
  user: '1000:1000',
  createNetNS: true,
  newPortMappings: [{ host_ip: '', container_port: 80, host_port: 18_080, range: 1, protocol: 'tcp' }],
  newNetworks: { mynet: { static_ips: ['10.77.0.5'], interface_name: 'eth0' } },
  networkMode: 'bridge',
  userVolumes: ['/anon', '/data'],
  command: ['sleep', '1000'],
  labels: { a: 'b' },
  stopSignal: 15,
  stopTimeout: 10,
  createdTime: '2026-11-24T08:26:05.473265599Z',
  cgroupManager: 'systemd',
  logPath: '/var/lib/containers/ctr.log',
  logSize: 0,
  logDriver: 'journald',
  runtime: '/usr/sbin/runc',
  healthcheck: null,
};

/** Capabilities of podman before 5.0. */
const CAPABILITIES = [
  ...[
    'CAP_AUDIT_WRITE',
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_FSETID',
    'CAP_KILL',
    'CAP_MKNOD',
  ],
  ...['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW', 'CAP_SETFCAP', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID'],
  'CAP_SYS_CHROOT',
];

export const PODMAN_PROCESS = {
  user: { uid: 1000, gid: 1000 },
  args: ['sleep', '1000'],
  env: ['container=podman', 'FOO=bar', 'PATH=/bin', 'TERM=xterm', 'HOSTNAME=4e4e4e4e4e4e'],
  cwd: '/',
  capabilities: { bounding: CAPABILITIES },
  rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
};

export const PODMAN_LINUX = {
  resources: {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: 67_108_864, swap: 134_217_728 },
    pids: { limit: 2048 },
  },
  cgroupsPath: `/libpod_parent/libpod-${ID}`,
  namespaces: [
    { type: 'pid' },
    { type: 'network', path: '/run/netns/netns-1' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
  ],
  seccomp: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] },
  maskedPaths: [
    ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list'],
    ...['/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/fs/selinux'],
    '/sys/dev/block',
  ],
  readonlyPaths: [
    ...['/proc/asound', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  ],
};

export const PODMAN_MOUNTS = [
  { destination: '/anon', type: 'bind', source: `/v/${ANONYMOUS}/_data`, options: DEFAULT_OPTIONS },
  { destination: '/data', type: 'bind', source: '/v/named/_data', options: DEFAULT_OPTIONS },
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
  bind('/etc/hostname', `${USERDATA}/hostname`),
  bind('/etc/resolv.conf', `${USERDATA}/resolv.conf`),
  bind('/etc/hosts', `${USERDATA}/hosts`),
  bind('/dev/shm', `${USERDATA}/shm`),
  bind('/run/.containerenv', `${USERDATA}/.containerenv`),
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['rprivate', 'ro'] },
];

const SPEC = {
  ociVersion: '1.0.2-dev',
  process: PODMAN_PROCESS,
  root: { path: '/merged' },
  hostname: '4e4e4e4e4e4e',
  mounts: PODMAN_MOUNTS,
  annotations: {
    'io.container.manager': 'libpod',
    'io.podman.annotations.autoremove': 'FALSE',
    'org.opencontainers.image.stopSignal': '15',
  },
  linux: PODMAN_LINUX,
};
