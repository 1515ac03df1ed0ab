import { criuDefects, requireCriu } from '../../criu/probe.ts';
import { fail } from '../../model/errors.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import type { ImportFacts } from '../plan/preflight/types.ts';
import { RUNTIME_NAMES } from '../programs.ts';
import { problemOf } from './problems.ts';

/** CRIU with what speaks against it. */
export async function criuAbility(ctx: EngineContext): Promise<ImportFacts['criu']> {
  const probe = await criuProbe(ctx);
  return {
    version: probe?.versionText ?? '',
    defects: probe === undefined ? [] : criuDefects(probe.version, probe.kernel),
    problem: await problemOf(() => requireCriu(probe)),
  };
}

/** A runtime with what speaks against it. The name must be a trusted one: the program is run. */
export async function runtimeAbility(
  ctx: EngineContext,
  name: string,
): Promise<Pick<ImportFacts['runtime'], 'problem'>> {
  const problem = await problemOf(async () => {
    const runtime = openRuntime(ctx.store, name, { cgroupManager: ctx.cgroupManager });
    const { able, why } = await runtime.canCheckpoint();
    if (able) return;
    fail('RUNTIME_UNSUPPORTED', {
      message: `configured runtime does not support checkpoint/restore${why === undefined ? '' : `: ${why}`}`,
      hint: 'cryopod doctor lists the runtimes that can.',
    });
  });
  return { problem };
}

/**
 * The runtime that would restore: the one asked for, else the archive's. The archive's word is not to be trusted with a
 * path: only its base name counts, and only if it is that of a runtime.
 */
export async function importRuntime(ctx: EngineContext, archived: string): Promise<ImportFacts['runtime']> {
  if (ctx.runtime !== undefined) {
    return { name: ctx.runtime, asked: true, ...(await runtimeAbility(ctx, ctx.runtime)) };
  }
  const name = archived.slice(archived.lastIndexOf('/') + 1);
  if (RUNTIME_NAMES.some((known) => known === name)) {
    return { name, asked: false, ...(await runtimeAbility(ctx, name)) };
  }
  const problem = {
    message: `the archive wants the runtime ${archived}, which cryopod does not know`,
    hint: `Name it with --runtime if it is one of yours; cryopod knows ${RUNTIME_NAMES.join(' and ')}.`,
  };
  return { name, asked: false, problem };
}
