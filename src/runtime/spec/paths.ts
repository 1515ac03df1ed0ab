import type { SecurityOptions } from '../../model/container.ts';
import { MASKED_PATHS, READ_ONLY_PATHS } from '../../model/protected-paths.ts';

/** Paths to hide and to protect, after --privileged and --security-opt mask= and unmask=. */
export function protectedPaths(security: SecurityOptions): {
  readonly maskedPaths: string[];
  readonly readonlyPaths: string[];
} {
  if (security.privileged) return { maskedPaths: [...security.mask], readonlyPaths: [] };
  const all = security.unmask.some((path) => path.toUpperCase() === 'ALL');
  const kept = (path: string): boolean => !all && !security.unmask.includes(path);
  return {
    maskedPaths: [...MASKED_PATHS.filter(kept), ...security.mask],
    readonlyPaths: READ_ONLY_PATHS.filter(kept),
  };
}
