import type { HostFacts, SpecFacts } from './types.ts';

/** A host with all controllers and capabilities of root that may not raise its limits. */
export const SAMPLE_HOST: HostFacts = {
  cgroupVersion: 2,
  controllers: ['cpu', 'cpuset', 'devices', 'memory', 'pids'],
  swapLimit: true,
  capabilities: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SETUID', 'CAP_SYS_ADMIN', 'CAP_SYS_CHROOT'],
  raiseLimits: false,
  hardLimits: { nofile: 20_000, nproc: Number.POSITIVE_INFINITY, core: Number.POSITIVE_INFINITY },
  maxOpenFiles: 1_048_576,
  messageQueues: true,
};

/** What the engine found out for a plain container of root's. */
export const SAMPLE_FACTS: SpecFacts = {
  host: SAMPLE_HOST,
  rootfs: '/store/merged',
  user: { uid: 0, gid: 0, additionalGids: [], home: '/root', name: 'root' },
  mounts: [],
  shm: '/store/shm',
  files: {
    hosts: '/run/c/hosts',
    resolvConf: '/run/c/resolv.conf',
    hostname: '/run/c/hostname',
    containerEnv: '/run/c/.containerenv',
  },
  namespaces: { network: { path: '/run/netns/c' }, pid: 'private', ipc: 'private', uts: 'private' },
  devices: [],
};
