import type { ResourceLimits } from '../../model/container.ts';
import type { HostFacts } from '../types.ts';
import type { OciRlimit } from './types.ts';

/** podman's defaults (containers.conf(5), default_ulimits). */
const DEFAULTS: readonly Limit[] = [
  { name: 'nofile', soft: 1048576, hard: 1048576 },
  { name: 'nproc', soft: 1048576, hard: 1048576 },
];

interface Limit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

const unlimited = (value: number): number => (value < 0 ? Number.POSITIVE_INFINITY : value);

/**
 * The process's limits: those asked for and podman's defaults for the rest, none above what this host allows. Lowering
 * one that was asked for is told in `warnings`.
 */
export function processLimits(
  resources: ResourceLimits,
  host: HostFacts,
): { readonly rlimits: OciRlimit[]; readonly warnings: string[] } {
  const warnings: string[] = [];
  const asked = resources.ulimits.map((limit) => ({
    name: limit.name,
    soft: unlimited(limit.soft),
    hard: unlimited(limit.hard),
  }));
  const names = new Set(asked.map((limit) => limit.name));
  const all = [
    ...asked.map((limit) => ({ limit, told: true })),
    ...DEFAULTS.filter((limit) => !names.has(limit.name)).map((limit) => ({ limit, told: false })),
  ];
  const rlimits = all.map(({ limit, told }) => {
    const ceiling = ceilingOf(limit.name, host);
    if (told && limit.hard > ceiling) {
      warnings.push(
        `ulimit ${limit.name}=${text(limit.hard)} clamped to ${text(ceiling)}: this process may not raise its limits`,
      );
    }
    const hard = Math.min(limit.hard, ceiling);
    return { type: `RLIMIT_${limit.name.toUpperCase()}`, soft: Math.min(limit.soft, hard), hard };
  });
  return { rlimits, warnings };
}

function ceilingOf(name: string, host: HostFacts): number {
  const kernel = name === 'nofile' ? host.maxOpenFiles : Number.POSITIVE_INFINITY;
  return host.raiseLimits ? kernel : Math.min(kernel, host.hardLimits[name] ?? Number.POSITIVE_INFINITY);
}

const text = (value: number): string => (value === Number.POSITIVE_INFINITY ? 'unlimited' : String(value));
