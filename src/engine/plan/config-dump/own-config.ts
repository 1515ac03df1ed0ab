import * as v from 'valibot';
import type { ContainerConfig } from '../../../model/container.ts';
import {
  absolutePath,
  count,
  destination,
  digest,
  hostname,
  interfaceName,
  ip,
  isMountOption,
  limit,
  line,
  listOf,
  mac,
  name,
  port,
  text,
  textMap,
  texts,
  time,
  word,
} from './fields.ts';

const mountOptions = listOf(v.pipe(text, v.check(isMountOption, 'not a mount option')));

const mount = v.variant('type', [
  v.object({ type: v.literal('bind'), source: absolutePath, destination, options: mountOptions }),
  v.object({
    type: v.literal('volume'),
    source: name,
    destination,
    options: mountOptions,
    anonymous: v.optional(v.boolean()),
  }),
  v.object({ type: v.literal('tmpfs'), source: v.literal(''), destination, options: mountOptions }),
]);

const namespace = v.object({
  mode: v.picklist(['private', 'host', 'shareable', 'none', 'container', 'ns']),
  target: v.optional(text),
});

const network = v.object({
  mode: v.picklist(['bridge', 'none', 'host', 'container', 'ns']),
  target: v.optional(text),
  networks: listOf(
    v.object({
      name,
      staticIps: listOf(ip),
      staticMac: v.optional(mac),
      aliases: listOf(word),
      interfaceName: v.optional(interfaceName),
    }),
  ),
  ports: listOf(
    v.object({
      hostIp: v.union([v.literal(''), ip]),
      containerPort: port,
      hostPort: port,
      range: port,
      protocol: v.picklist(['tcp', 'udp', 'sctp']),
    }),
  ),
  dnsServers: listOf(ip),
  dnsSearch: listOf(word),
  dnsOptions: listOf(word),
  addHosts: listOf(v.object({ host: word, ip: v.union([v.literal('host-gateway'), ip]) })),
});

const capability = v.pipe(v.string(), v.regex(/^(?:ALL|CAP_[A-Z_]{1,40})$/, 'not a capability'));

const security = v.object({
  privileged: v.boolean(),
  capAdd: listOf(capability),
  capDrop: listOf(capability),
  noNewPrivileges: v.boolean(),
  seccomp: v.optional(line),
  apparmor: v.optional(line),
  mask: listOf(v.union([v.literal('ALL'), absolutePath])),
  unmask: listOf(v.union([v.literal('ALL'), absolutePath])),
  readOnlyRootfs: v.boolean(),
});

const resources = v.object({
  memory: v.optional(limit),
  memorySwap: v.optional(limit),
  cpus: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  cpusetCpus: v.optional(v.pipe(v.string(), v.regex(/^[0-9,-]{1,1024}$/, 'not a list of CPUs'))),
  pids: v.optional(limit),
  ulimits: listOf(
    v.object({ name: v.pipe(v.string(), v.regex(/^[a-z]{1,20}$/, 'not a limit')), soft: limit, hard: limit }),
  ),
});

/** What {@link ownConfig} gives: everything but where things lie on the host that wrote it. */
export type PortableConfig = Omit<ContainerConfig, 'layers' | 'logPath'>;

/** A container's configuration as cryopod itself writes it below the key `cryopod`. Fields of later versions are left out. */
export const ownConfig = v.object({
  id: digest,
  name,
  created: time,
  imageId: digest,
  imageName: line,
  entrypoint: texts,
  command: texts,
  env: listOf(v.pipe(text, v.includes('=', 'not NAME=value'))),
  user: line,
  workdir: v.union([v.literal(''), absolutePath]),
  hostname,
  tty: v.boolean(),
  interactive: v.boolean(),
  labels: textMap,
  annotations: textMap,
  mounts: listOf(mount),
  devices: listOf(
    v.object({
      hostPath: absolutePath,
      containerPath: absolutePath,
      permissions: v.pipe(v.string(), v.regex(/^[rwm]{1,3}$/, 'not some of rwm')),
    }),
  ),
  network,
  ipc: namespace,
  pid: namespace,
  uts: namespace,
  security,
  resources,
  shmSize: count,
  stopSignal: v.pipe(count, v.minValue(1), v.maxValue(64)),
  stopTimeout: count,
  autoRemove: v.boolean(),
  logDriver: v.picklist(['k8s-file', 'none']),
  logSizeMax: v.optional(count),
  runtime: line,
  cgroupManager: v.picklist(['cgroupfs', 'systemd']),
  createCommand: texts,
});
