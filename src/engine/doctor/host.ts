import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { errnoOf } from '../../model/errors.ts';
import { hostFacts } from '../../runtime/spec/host.ts';
import { bad, type Check, good, warn } from './check.ts';

/** Capabilities without which CRIU or the engine cannot do their work. */
const NEEDED = [
  'CAP_SYS_ADMIN',
  'CAP_SYS_PTRACE',
  'CAP_NET_ADMIN',
  'CAP_SYS_CHROOT',
  'CAP_CHOWN',
  'CAP_MKNOD',
];

/** The kernel with its features, cgroups, capabilities and sysctls. */
export const checkHost = (): Check[] => [
  checkKernel(),
  checkOverlay(),
  checkNamespaces(),
  ...checkCgroups(),
  ...checkCapabilities(),
  ...checkSysctls(),
];

/** CONFIG_CHECKPOINT_RESTORE shows in /proc by map_files (since 4.3 always there) and ns_last_pid. */
function checkKernel(): Check {
  if (existsSync('/proc/sys/kernel/ns_last_pid')) return good('kernel', release());
  return bad(
    'kernel',
    `${release()} without CONFIG_CHECKPOINT_RESTORE`,
    'CRIU cannot work',
    'Boot a kernel of the distribution; they all have it.',
  );
}

function checkOverlay(): Check {
  if (/^(nodev)?\toverlay$/m.test(readFileSync('/proc/filesystems', 'utf8')))
    return good('overlayfs', 'available');
  return warn(
    'overlayfs',
    'not loaded',
    'containers cannot be mounted unless the kernel can load it on demand',
    'Run modprobe overlay.',
  );
}

function checkNamespaces(): Check {
  const kinds = ['mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup'];
  const missing = kinds.filter((kind) => !existsSync(`/proc/self/ns/${kind}`));
  if (missing.length === 0) return good('namespaces', kinds.join(', '));
  return bad('namespaces', `missing: ${missing.join(', ')}`, 'containers cannot be isolated');
}

/** Controllers and what they are for. */
const CONTROLLERS: Readonly<Record<string, string>> = {
  memory: '--memory',
  cpu: '--cpus',
  cpuset: '--cpuset-cpus',
  pids: '--pids-limit',
};

function checkCgroups(): Check[] {
  const { cgroupVersion, controllers } = hostFacts();
  const version = `v${cgroupVersion}, controllers ${controllers.join(', ') || 'none'}`;
  const missing = Object.keys(CONTROLLERS).filter((name) => !controllers.includes(name));
  const freezer = cgroupVersion === 2 || controllers.includes('freezer');
  return [
    missing.length === 0
      ? good('cgroups', version)
      : warn('cgroups', version, `no limits by ${missing.map((name) => CONTROLLERS[name]).join(', ')}`),
    ...(freezer ? [] : [warn('cgroup freezer', 'not mounted', 'pause does not work')]),
  ];
}

function checkCapabilities(): Check[] {
  const { capabilities, raiseLimits } = hostFacts();
  const missing = NEEDED.filter((name) => !capabilities.includes(name));
  return [
    missing.length === 0
      ? good('capabilities', 'all that CRIU and containers need')
      : bad(
          'capabilities',
          `missing: ${missing.join(', ')}`,
          'CRIU and containers need them',
          'Run cryopod as root of the host, not in an unprivileged container.',
        ),
    raiseLimits
      ? good('CAP_SYS_RESOURCE', 'available')
      : warn(
          'CAP_SYS_RESOURCE',
          'missing',
          'limits of containers (--ulimit) cannot be raised above those of this process: they are clamped',
        ),
  ];
}

interface Sysctl {
  readonly path: string;
  readonly check: (value: number, name: string) => Check;
}

/** Bytes: with less, data go from CRIU to the compressor in so small pieces that an export takes longer. */
const GOOD_PIPE_SIZE = 1 << 20;

const SYSCTLS: readonly Sysctl[] = [
  {
    path: 'kernel/yama/ptrace_scope',
    check: (value, name) =>
      value < 3
        ? good(name, String(value))
        : bad(name, String(value), 'nobody may trace processes, CRIU included', 'Boot with a value below 3.'),
  },
  {
    path: 'fs/pipe-max-size',
    check: (value, name) =>
      value >= GOOD_PIPE_SIZE || hostFacts().raiseLimits
        ? good(name, String(value))
        : warn(
            name,
            String(value),
            'large checkpoints are written more slowly',
            `sysctl -w ${name}=67108864`,
          ),
  },
  {
    path: 'user/max_net_namespaces',
    check: (value, name) =>
      value > 0
        ? good(name, String(value))
        : bad(name, '0', 'no network namespaces', `sysctl -w ${name}=1024`),
  },
  {
    path: 'kernel/pid_max',
    check: (value, name) =>
      value >= 32_768
        ? good(name, String(value))
        : warn(
            name,
            String(value),
            'processes from hosts with more PIDs cannot get theirs back',
            `sysctl -w ${name}=4194304`,
          ),
  },
  {
    path: 'net/ipv4/ip_forward',
    check: (value, name) =>
      value === 1
        ? good(name, '1')
        : warn(
            name,
            String(value),
            'containers reach no other host until netavark switches it on with the first network',
          ),
  },
];

function checkSysctls(): Check[] {
  return SYSCTLS.flatMap(({ path, check }) => {
    const value = readNumber(`/proc/sys/${path}`);
    return value === undefined ? [] : [check(value, path.replaceAll('/', '.'))];
  });
}

function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8').trim());
  } catch (error) {
    // A kernel without the feature has no such file.
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
