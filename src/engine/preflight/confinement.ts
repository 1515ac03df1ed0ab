import { existsSync } from 'node:fs';
import { ambiguousMounts, exposedPaths } from '../../criu/exposed-paths.ts';
import { guardedCalls, openCalls } from '../../criu/guarded-calls.ts';
import { boundingSet, CAPABILITIES } from '../../model/capabilities.ts';
import type { SecurityOptions } from '../../model/container.ts';
import { protectedPaths } from '../../runtime/spec/paths.ts';
import { seccompFor } from '../../runtime/spec/seccomp.ts';
import type { OciSeccomp } from '../../runtime/spec/types.ts';
import { NOT_ALWAYS_MASKED } from '../plan/config-dump/security.ts';
import { isBind } from '../plan/preflight/images.ts';
import type { ArchiveView, ImageNeeds, ImportFacts } from '../plan/preflight/types.ts';

const NOTHING: ImportFacts['leaks'] = { ambiguous: [], visible: [], writable: [], openCalls: [] };

/** What images leave open that is closed to a container of this configuration on this host. */
export async function imageLeaks(
  config: ArchiveView['config'],
  needs: ImageNeeds | undefined,
): Promise<ImportFacts['leaks']> {
  if (needs === undefined) return NOTHING;
  const { mounts, privileges, machine } = needs;
  const own = mounts.filter((mount) => !isBind(config, mount));
  return {
    ambiguous: ambiguousMounts(mounts).map(({ destination }) => destination),
    ...exposedPaths(own, protectedHere(config.security)),
    openCalls: callsLeft(privileges.filters, machine, await refusedCalls(config.security)),
  };
}

/** Sets of filters that are looked at; more distinct ones than any container has are not trusted to refuse anything. */
const MAX_FILTER_SETS = 64;

/** The calls that the first set leaves open which leaves any. */
function callsLeft(
  sets: ImageNeeds['privileges']['filters'],
  machine: string | undefined,
  refused: readonly string[],
): readonly string[] {
  if (sets.length > MAX_FILTER_SETS) return refused;
  for (const set of sets) {
    const open = openCalls(set, machine, refused);
    if (open.length > 0) return open;
  }
  return [];
}

/**
 * The kernel's files on this host that a container of these options neither sees nor changes. Those that some podman
 * leaves open to all are none of them.
 */
function protectedHere(security: SecurityOptions): {
  readonly masked: readonly string[];
  readonly readOnly: readonly string[];
} {
  const { maskedPaths, readonlyPaths } = protectedPaths(security);
  return {
    masked: maskedPaths.filter((path) => !NOT_ALWAYS_MASKED.has(path) && existsSync(path)),
    readOnly: readonlyPaths.filter((path) => existsSync(path)),
  };
}

/**
 * System calls that every default profile refuses to a container of these options, this host's as well. None where it has
 * no filter or one of its own.
 */
async function refusedCalls(security: SecurityOptions): Promise<string[]> {
  if (security.privileged || security.seccomp !== undefined) return [];
  const profile = await seccompFor(security);
  const { names } = boundingSet(security, { capabilities: CAPABILITIES });
  return guardedCalls(names).filter((name) => profile !== undefined && !allows(profile, name));
}

const ALLOW = 'SCMP_ACT_ALLOW';

/** Whether a profile lets a call through, be it with certain arguments alone. */
function allows({ defaultAction, syscalls }: OciSeccomp, name: string): boolean {
  const actions = syscalls.filter(({ names }) => names.includes(name)).map(({ action }) => action);
  return actions.length === 0 ? defaultAction === ALLOW : actions.includes(ALLOW);
}
