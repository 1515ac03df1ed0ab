import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { capabilityNames } from '../../model/capabilities.ts';
import { CAP_SYS_RESOURCE, hasCapability } from '../../system/procfs.ts';
import type { HostFacts } from '../types.ts';

/** linux/magic.h */
const CGROUP2_SUPER_MAGIC = 0x63677270;
const CGROUP_ROOT = '/sys/fs/cgroup';

/** Lines of /proc/PID/limits (proc_pid_limits(5)) and the names of `--ulimit`. */
const LIMIT_NAMES: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max address space': 'as',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

let known: HostFacts | undefined;

/** What this host offers to containers. Read once in the life of this process; cheap (a few files of /proc and /sys). */
export function hostFacts(): HostFacts {
  known ??= readHostFacts();
  return known;
}

function readHostFacts(): HostFacts {
  const cgroupVersion = statfsSync(CGROUP_ROOT).type === CGROUP2_SUPER_MAGIC ? 2 : 1;
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    cgroupVersion,
    controllers: cgroupVersion === 2 ? controllersV2() : controllersV1(),
    swapLimit: cgroupVersion === 2 ? existsSync('/proc/swaps') : hasMemorySwapV1(),
    capabilities: capabilityNames(BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)),
    raiseLimits: hasCapability(CAP_SYS_RESOURCE),
    hardLimits: parseLimits(readFileSync('/proc/self/limits', 'utf8')),
    maxOpenFiles: Number(readFileSync('/proc/sys/fs/nr_open', 'utf8')),
    messageQueues: existsSync('/dev/mqueue'),
  };
}

/** cgroup v2 has no devices controller; runtimes use BPF programs for it, which always work. */
const controllersV2 = (): string[] => [
  ...readFileSync(`${CGROUP_ROOT}/cgroup.controllers`, 'utf8').trim().split(' ').filter(Boolean),
  'devices',
];

/** The v1 hierarchies that this process is in (cgroups(7)): ID:CONTROLLERS:PATH. */
const controllersV1 = (): string[] =>
  readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(':')[1]?.split(',') ?? [])
    .filter((name) => name !== '' && !name.startsWith('name='));

const hasMemorySwapV1 = (): boolean => existsSync(`${CGROUP_ROOT}/memory/memory.memsw.limit_in_bytes`);

/** Hard limits by name; Infinity for unlimited. */
export function parseLimits(text: string): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const line of text.split('\n').slice(1)) {
    const [, title = '', hard = ''] = /^(.+?) {2,}\S+ +(\S+)/.exec(line) ?? [];
    const name = LIMIT_NAMES[title];
    if (name !== undefined) limits[name] = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  }
  return limits;
}
