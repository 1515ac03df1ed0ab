import { findAardvark, findNetavark } from '../network/netavark.ts';
import { monitorVersion } from '../runtime/monitor.ts';
import { openRuntime } from '../runtime/runtime.ts';
import type { RuntimeProbe } from '../runtime/types.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import type { EngineContext } from './context.ts';

/** Runtimes that cryopod knows, the default first. */
export const RUNTIME_NAMES = ['runc', 'crun'] as const;

/** A program of the host. */
export interface ProgramInfo {
  readonly path: string;
  /** First line of what it says about its version. */
  readonly version: string;
}

/** The runtimes that are installed and what they can do. Errors: RUNTIME_UNSUPPORTED for one that does not run. */
export async function installedRuntimes(ctx: EngineContext): Promise<RuntimeProbe[]> {
  const names = RUNTIME_NAMES.filter((name) => findProgram(name) !== undefined);
  return await Promise.all(
    names.map((name) => openRuntime(ctx.store, name, { cgroupManager: ctx.cgroupManager }).probe()),
  );
}

/** conmon, or undefined where it is not installed. */
export async function monitorInfo(): Promise<ProgramInfo | undefined> {
  const path = findProgram('conmon');
  return path === undefined ? undefined : { path, version: await monitorVersion() };
}

export const netavarkInfo = (): Promise<ProgramInfo | undefined> => versionOf(findNetavark());
export const aardvarkInfo = (): Promise<ProgramInfo | undefined> => versionOf(findAardvark());
export const skopeoInfo = (): Promise<ProgramInfo | undefined> => versionOf(findProgram('skopeo'));

async function versionOf(path: string | undefined): Promise<ProgramInfo | undefined> {
  if (path === undefined) return undefined;
  const { stdout, stderr } = await run([path, '--version']);
  return { path, version: (stdout.trim() || stderr.trim()).split('\n')[0] ?? '' };
}
