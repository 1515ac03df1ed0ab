import type { ResourceLimits, Ulimit } from '../../../model/container.ts';
import type { ConfigDump, SpecDump } from './schema.ts';

/** podman's default for --pids-limit. */
const DEFAULT_PIDS = 2048;
/** podman sets these two in every container, to what the host allows. */
const ALWAYS_LIMITED = new Set(['nofile', 'nproc']);

/** The limits of a container of podman's. */
export function podmanResources(config: ConfigDump, spec: SpecDump): ResourceLimits {
  const { memory, cpu, pids } = spec.linux.resources ?? {};
  const asked = (config.CreateCommand ?? []).some((word) => word.startsWith('--ulimit'));
  return {
    memory: memory?.limit,
    memorySwap: memory?.swap,
    cpus:
      cpu?.quota !== undefined && cpu.period !== undefined && cpu.quota > 0
        ? cpu.quota / cpu.period
        : undefined,
    cpusetCpus: cpu?.cpus === '' ? undefined : cpu?.cpus,
    pids: pids === undefined ? undefined : pidsOf(pids.limit),
    ulimits: (spec.process.rlimits ?? [])
      .map(
        ({ type, soft = 0, hard = 0 }): Ulimit => ({
          name: type.replace('RLIMIT_', '').toLowerCase(),
          soft: unlimited(soft),
          hard: unlimited(hard),
        }),
      )
      .filter(({ name }) => asked || !ALWAYS_LIMITED.has(name)),
  };
}

const unlimited = (value: number): number => (value === Number.POSITIVE_INFINITY ? -1 : value);

/** 0 and less stand for no limit. */
function pidsOf(limit: number | undefined): number | undefined {
  if (limit === undefined || limit === DEFAULT_PIDS) return undefined;
  return limit <= 0 ? -1 : limit;
}
