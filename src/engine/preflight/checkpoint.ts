import { criuDefects, requireCriu } from '../../criu/probe.ts';
import { findContainer } from '../../state/containers.ts';
import { checkpointFacts } from '../checkpoint-facts.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import { observe } from '../observe.ts';
import { type CheckpointOptions, checkpointFindings, freezeEstimate } from '../plan/checkpoint.ts';
import { type Finding, ok, warning } from '../plan/preflight/finding.ts';

/** What a preflight says about one container or archive. */
export interface Preflight {
  /** The name, ID or file that the user gave. */
  readonly input: string;
  readonly findings: readonly Finding[];
}

/**
 * Says whether a checkpoint would work and what it would take. Changes nothing and waits for nobody. Errors:
 * NO_SUCH_CONTAINER, AMBIGUOUS_ID; CRIU_MISSING, RUNTIME_UNSUPPORTED where there is none at all.
 */
export async function checkpointPreflight(
  ctx: EngineContext,
  nameOrId: string,
  options: CheckpointOptions,
): Promise<Preflight> {
  const container = observe(ctx, findContainer(ctx.db, nameOrId));
  const facts = await checkpointFacts(ctx, container);
  const criu = requireCriu(await criuProbe(ctx));
  const defects = criuDefects(criu.version, criu.kernel).map(({ meaning, fix }) =>
    warning('criu', meaning, fix),
  );
  const findings = [
    ...checkpointFindings(container, options, facts),
    ...(defects.length > 0 ? defects : [ok('criu', criu.versionText)]),
    ...(container.state.status === 'running' ? [freezeEstimate(facts)] : []),
  ];
  return { input: nameOrId, findings };
}
