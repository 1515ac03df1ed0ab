import { CAPABILITIES, DEFAULT_CAPABILITIES } from '../../model/capabilities.ts';
import type { SecurityOptions } from '../../model/container.ts';
import { fail } from '../../model/errors.ts';
import type { HostFacts } from '../types.ts';
import type { OciCapabilities } from './types.ts';

/** The names for a bit mask as /proc/PID/status shows it. */
export const capabilityNames = (mask: bigint): string[] =>
  CAPABILITIES.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);

function checkNames(names: readonly string[], verb: string): void {
  const unknown = names.find((name) => name !== 'ALL' && !(CAPABILITIES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    fail('USAGE', { message: `capability to ${verb} is unknown: "${unknown}": invalid argument` });
  }
}

/**
 * The names in the container's bounding set, sorted. Those that this host does not have are left out: an asked-for one
 * is told in `missing`. Fails with USAGE for a name that no kernel knows.
 */
export function boundingSet(
  security: SecurityOptions,
  host: Pick<HostFacts, 'capabilities'>,
): { readonly names: string[]; readonly missing: string[] } {
  const { privileged, capAdd, capDrop } = security;
  checkNames(capAdd, 'add');
  checkNames(capDrop, 'drop');
  const all = privileged || capAdd.includes('ALL');
  const dropAll = capDrop.includes('ALL');
  const base = all ? host.capabilities : dropAll ? [] : DEFAULT_CAPABILITIES;
  const added = capAdd.filter((name) => name !== 'ALL');
  const wanted = new Set([...base, ...added]);
  for (const name of capDrop) wanted.delete(name);
  return {
    names: [...wanted]
      .filter((name) => host.capabilities.includes(name))
      .toSorted((a, b) => a.localeCompare(b)),
    missing: added.filter((name) => !host.capabilities.includes(name)),
  };
}

/**
 * The five sets of a process. Root gets the whole bounding set; another user gets only what was added by name, ambient
 * so that it survives the exec of an ordinary program.
 */
export function processCapabilities(
  bounding: readonly string[],
  security: SecurityOptions,
  uid: number,
): OciCapabilities {
  if (uid === 0) {
    return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };
  }
  const own = bounding.filter((name) => security.capAdd.includes(name));
  return { bounding, effective: own, permitted: own, inheritable: own, ambient: own };
}
