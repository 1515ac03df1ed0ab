import type { SecurityOptions } from '../../model/container.ts';
import type { OciCapabilities } from './types.ts';

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
