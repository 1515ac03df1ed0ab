import { criuDefects, requireCriu } from '../../criu/probe.ts';
import { findContainer } from '../../state/containers.ts';
import { checkpointFacts } from '../checkpoint-facts.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import { nameFinding, tagFindings } from '../history/tag-findings.ts';
import { observe } from '../observe.ts';
import {
  type CheckpointOptions,
  checkpointFindings,
  freezeEstimate,
  preCheckpointFindings,
  preCheckpointFreeze,
} from '../plan/checkpoint.ts';
import { type Finding, ok, warning } from '../plan/preflight/finding.ts';
import { findPrevious, tracksChanges } from '../previous.ts';

/** What a preflight says about one container or archive. */
export interface Preflight {
  /** The name, ID or file that the user gave. */
  readonly input: string;
  readonly findings: readonly Finding[];
}

export interface PreflightOptions extends CheckpointOptions {
  /** Memory only (--pre-checkpoint). */
  readonly preCheckpoint?: boolean;
  /** It will lie in an archive or an image. */
  readonly archived?: boolean;
  /** It will have this name in the history of the container. */
  readonly tag?: string | undefined;
  /** Of what gets a name: the content of volumes is left out. */
  readonly ignoreVolumes?: boolean;
}

/**
 * Says whether a checkpoint would work and what it would take. Changes nothing and waits for nobody. Errors:
 * NO_SUCH_CONTAINER, AMBIGUOUS_ID; CRIU_MISSING, RUNTIME_UNSUPPORTED where there is none at all.
 */
export async function checkpointPreflight(
  ctx: EngineContext,
  nameOrId: string,
  { preCheckpoint = false, archived = false, tag, ignoreVolumes = false, ...options }: PreflightOptions,
): Promise<Preflight> {
  const container = observe(ctx, findContainer(ctx.db, nameOrId));
  const isRunning = container.state.status === 'running';
  const found =
    isRunning && options.withPrevious === true
      ? (await findPrevious(ctx, container, { needsArchive: archived })).facts
      : undefined;
  const facts = { ...(await checkpointFacts(ctx, container)), previous: found };
  const criu = requireCriu(await criuProbe(ctx));
  const defects = criuDefects(criu.version, criu.kernel).map(({ meaning, fix }) =>
    warning('criu', meaning, fix),
  );
  const findings = [
    ...(preCheckpoint ? preCheckpointFindings : checkpointFindings)(container, options, facts),
    ...(tag === undefined ? [] : [nameFinding(ctx, container, tag)]),
    ...(tag === undefined || !isRunning
      ? []
      : await tagFindings(ctx, container, { ...options, tag, ignoreVolumes }, facts)),
    ...(defects.length > 0 ? defects : [ok('criu', criu.versionText)]),
    ...(isRunning
      ? [preCheckpoint ? preCheckpointFreeze(await tracksChanges(ctx)) : freezeEstimate(facts)]
      : []),
  ];
  return { input: nameOrId, findings };
}
