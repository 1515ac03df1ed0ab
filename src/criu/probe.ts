import { mkdir, readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { writeDurable } from '../system/durable.ts';
import { logDebug } from '../system/log.ts';
import { failRun, run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';

/** What `criu check --feature` is asked (CRIU criu/cr-check.c feature_list), under the names used here. */
const FEATURES = {
  /** Soft-dirty page tracking: CRIU's own pre-dump works. */
  dirtyTracking: 'mem_dirty_track',
  /** userfaultfd with events: pages can be served while the process runs. */
  lazyPages: 'uffd-noncoop',
  pagemapScan: 'pagemap_scan',
  nftablesLock: 'network_lock_nftables',
  timeNamespace: 'timens',
  cloneSetTid: 'clone3_set_tid',
} as const;

export type CriuFeature = keyof typeof FEATURES;

export interface CriuProbe {
  readonly path: string;
  /** Major × 10000 + minor × 100 + sublevel: 4.2.1 is 40201 (CRIU images/rpc.proto criu_version). */
  readonly version: number;
  readonly versionText: string;
  readonly kernel: string;
  /** `criu check` succeeded. */
  readonly works: boolean;
  /** What `criu check` printed where it did not. */
  readonly complaint: string;
  readonly features: Readonly<Record<CriuFeature, boolean>>;
}

/** The oldest CRIU that podman and cryopod accept. */
export const MINIMUM_CRIU = 31100;

/** `4.2.1` → 40201, `4.2` → 40200, `3.17.1-2` → 31701; undefined for anything else. */
export function criuVersionNumber(text: string): number | undefined {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 10000 + Number(match[2]) * 100 + Number(match[3] ?? 0);
}

/** Major and minor of a kernel release such as `6.18.44-generic`, as one number that can be compared: 6018. */
function kernelNumber(kernel: string): number {
  const match = /^(\d+)\.(\d+)/.exec(kernel);
  return Number(match?.[1] ?? 0) * 1000 + Number(match?.[2] ?? 0);
}

/** A CRIU that passes its own check and fails all the same, because the kernel changed after it was made. */
export interface CriuDefect {
  readonly meaning: string;
  readonly fix: string;
}

/** Pure: what is known not to work with this CRIU on this kernel. */
export function criuDefects(version: number, kernel: string): CriuDefect[] {
  const defects: CriuDefect[] = [];
  // The vDSO got a second data area in 6.13; CRIU commit "vdso: handle vvar_vclock vma-s" is in 4.1.
  if (kernelNumber(kernel) >= 6013 && version < 40100) {
    defects.push({
      meaning: `CRIU before 4.1 cannot handle processes of kernel ${kernel} at all (its vDSO is laid out anew)`,
      fix: 'Install CRIU 4.2 or newer; scripts/setup.sh brings one.',
    });
  }
  // 6.16 refuses SO_PASSCRED on network sockets; CRIU commit 4b7398595, in 4.2, no longer asks.
  if (kernelNumber(kernel) >= 6016 && version < 40200) {
    defects.push({
      meaning: `CRIU before 4.2 cannot save any network socket on kernel ${kernel}`,
      fix: 'Install CRIU 4.2 or newer; scripts/setup.sh brings one.',
    });
  }
  return defects;
}

/**
 * Finds CRIU and asks it what works here. The answer is kept in the file `cachePath` and is used again while the
 * kernel and the program are the same, so that only one command pays for the probe. Undefined when there is no CRIU.
 */
export async function probeCriu(cachePath: string): Promise<CriuProbe | undefined> {
  const path = findProgram('criu');
  if (path === undefined) return undefined;
  const { mtimeMs, size } = await stat(path);
  const key = `${release()} ${path} ${mtimeMs} ${size}`;
  const cached = await readCache(cachePath, key);
  if (cached !== undefined) return cached;
  const probe = await askCriu(path);
  await writeCache(cachePath, key, probe);
  return probe;
}

/** The probe, or the CRIU_MISSING error in podman's words where CRIU is missing, too old or broken on this kernel. */
export function requireCriu(probe: CriuProbe | undefined): CriuProbe {
  const hint = 'Run scripts/setup.sh, or install CRIU 4.2 or newer; cryopod doctor says what is wrong.';
  if (probe === undefined) {
    return fail('CRIU_MISSING', {
      message: 'checkpoint/restore requires CRIU, and no criu program was found',
      hint,
    });
  }
  if (probe.version < MINIMUM_CRIU) {
    const message = `checkpoint/restore requires at least CRIU ${MINIMUM_CRIU}, current version is ${probe.version}`;
    return fail('CRIU_MISSING', { message, hint });
  }
  if (!probe.works) {
    const message = `CRIU ${probe.versionText} does not work on kernel ${probe.kernel}: ${probe.complaint}`;
    return fail('CRIU_MISSING', { message, hint });
  }
  return probe;
}

async function askCriu(path: string): Promise<CriuProbe> {
  const [version, check, ...answers] = await Promise.all([
    run([path, '--version']),
    run([path, 'check']),
    ...Object.values(FEATURES).map((feature) => run([path, 'check', '--feature', feature])),
  ]);
  // It says nothing of this host that the question was cut short; kept, it would refuse every checkpoint.
  if (check.signal !== undefined) failRun(check, 'ask CRIU what works here');
  const versionText = /^Version: (\S+)/m.exec(version.stdout)?.[1] ?? '';
  const complaint = (check.stderr.trim() || check.stdout.trim()).split('\n').slice(-3).join('; ');
  const supported = Object.keys(FEATURES).map((name, index) => [name, answers[index]?.ok === true] as const);
  return {
    path,
    version: criuVersionNumber(versionText) ?? 0,
    versionText,
    kernel: release(),
    works: check.ok,
    complaint: check.ok ? '' : complaint,
    features: Object.fromEntries(supported) as Record<CriuFeature, boolean>,
  };
}

interface CacheFile {
  readonly key: string;
  readonly probe: CriuProbe;
}

const isCacheFile = (value: unknown): value is CacheFile =>
  typeof value === 'object' && value !== null && 'key' in value && 'probe' in value;

async function readCache(path: string, key: string): Promise<CriuProbe | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isCacheFile(value) && value.key === key ? value.probe : undefined;
  } catch (error) {
    // A missing or damaged cache costs one probe, nothing else.
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function writeCache(path: string, key: string, probe: CriuProbe): Promise<void> {
  const file: CacheFile = { key, probe };
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeDurable(path, `${JSON.stringify(file)}\n`);
  } catch (error) {
    const errno = errnoOf(error);
    if (!['EACCES', 'EROFS', 'EPERM', 'ENOSPC', 'EDQUOT'].includes(errno ?? '')) throw error;
    logDebug(`the answers of criu are not kept: ${path} cannot be written (${errno})`);
  }
}
