import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { boundingSet } from '../../model/capabilities.ts';
import type { SecurityOptions } from '../../model/container.ts';
import { fail, messageOf } from '../../model/errors.ts';
import { hostFacts } from './host.ts';
import { FALLBACK_PROFILE } from './seccomp-fallback.ts';
import type { OciSeccomp, OciSeccompRule } from './types.ts';

/** Where Debian's golang-github-containers-common and others install the profile that podman uses. */
const INSTALLED_PROFILES = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json'];

interface Condition {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
  readonly minKernel?: string | null;
}

/** A profile file: OCI's seccomp object with conditions and a map of architectures (containers/common, seccomp.json). */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number | null;
  readonly architectures?: readonly string[] | null;
  readonly archMap?:
    | readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[]
    | null;
  readonly syscalls?:
    | readonly {
        readonly names?: readonly string[] | null;
        readonly name?: string;
        readonly action: string;
        readonly errnoRet?: number | null;
        readonly args?: OciSeccompRule['args'] | null;
        readonly includes?: Condition | null;
        readonly excludes?: Condition | null;
      }[]
    | null;
}

/** The filter that a container of these options gets; undefined for none. Fails with USAGE for a profile that cannot be read. */
export async function seccompFor(security: SecurityOptions): Promise<OciSeccomp | undefined> {
  if (security.seccomp === 'unconfined') return undefined;
  if (security.privileged && security.seccomp === undefined) return undefined;
  const path = security.seccomp ?? INSTALLED_PROFILES.find((profile) => existsSync(profile));
  const profile = path === undefined ? FALLBACK_PROFILE : await readProfile(path);
  return resolveProfile(profile, boundingSet(security, hostFacts()).names, process.arch);
}

async function readProfile(path: string): Promise<SeccompProfile> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value === 'object' && value !== null && 'defaultAction' in value) {
      // Only root names profiles; the runtime checks every word of what becomes of it.
      return value as SeccompProfile;
    }
  } catch (error) {
    fail('USAGE', { message: `opening seccomp profile failed: ${path}: ${messageOf(error)}`, cause: error });
  }
  return fail('USAGE', { message: `decoding seccomp profile failed: ${path}: it has no defaultAction` });
}

/** Node's name of an architecture → Go's (used by conditions) and libseccomp's. */
const ARCHES: Readonly<Record<string, { readonly go: string; readonly seccomp: string }>> = {
  x64: { go: 'amd64', seccomp: 'SCMP_ARCH_X86_64' },
  arm64: { go: 'arm64', seccomp: 'SCMP_ARCH_AARCH64' },
  ppc64: { go: 'ppc64le', seccomp: 'SCMP_ARCH_PPC64LE' },
  s390x: { go: 's390x', seccomp: 'SCMP_ARCH_S390X' },
  riscv64: { go: 'riscv64', seccomp: 'SCMP_ARCH_RISCV64' },
};

/** Applies a profile's conditions: what holds for these capabilities on this architecture (pure). */
export function resolveProfile(
  profile: SeccompProfile,
  capabilities: readonly string[],
  nodeArch: string,
): OciSeccomp {
  const arch = ARCHES[nodeArch];
  const mapped = profile.archMap?.find((entry) => entry.architecture === arch?.seccomp);
  const architectures =
    mapped === undefined
      ? (profile.architectures ?? undefined)
      : [mapped.architecture, ...(mapped.subArchitectures ?? [])];
  const holds = (condition: Condition): boolean =>
    (condition.caps ?? []).every((name) => capabilities.includes(name)) &&
    (isEmpty(condition.arches) || (condition.arches ?? []).includes(arch?.go ?? ''));
  const syscalls = (profile.syscalls ?? []).flatMap((rule): OciSeccompRule[] => {
    if (!holds(rule.includes ?? {})) return [];
    const { excludes } = rule;
    const excluded = excludes !== null && excludes !== undefined && !isVoid(excludes) && holds(excludes);
    if (excluded) return [];
    const names = rule.names ?? (rule.name === undefined ? [] : [rule.name]);
    return [
      {
        names,
        action: rule.action,
        ...(rule.errnoRet === undefined || rule.errnoRet === null ? {} : { errnoRet: rule.errnoRet }),
        ...(isEmpty(rule.args) ? {} : { args: rule.args ?? [] }),
      },
    ];
  });
  return {
    defaultAction: profile.defaultAction,
    ...(typeof profile.defaultErrnoRet === 'number' ? { defaultErrnoRet: profile.defaultErrnoRet } : {}),
    ...(architectures === undefined ? {} : { architectures }),
    syscalls,
  };
}

const isEmpty = (list: readonly unknown[] | null | undefined): boolean =>
  list === undefined || list === null || list.length === 0;
const isVoid = (condition: Condition): boolean => isEmpty(condition.caps) && isEmpty(condition.arches);
