import { existsSync } from 'node:fs';
import { checkPageFiles } from '../../criu/delta/check-page-files.ts';
import { readImageNeeds } from '../../criu/image-needs.ts';
import type { Container } from '../../model/container.ts';
import { checkPortsFree } from '../../network/ports.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import { findContainer, listContainers } from '../../state/containers.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { holdsImages } from '../checkpoint-files.ts';
import type { EngineContext } from '../context.ts';
import { lazyAbility } from '../lazy-pages.ts';
import { readNetworkStatus } from '../network/status-file.ts';
import { observe, recordedAsActive } from '../observe.ts';
import { networkFindings, portFindings } from '../plan/preflight/container.ts';
import { type Finding, obstacle, ok, warning } from '../plan/preflight/finding.ts';
import { connectionFindings } from '../plan/preflight/import.ts';
import { type RestoreOptions, restoreFindings } from '../plan/restore.ts';
import { addressFacts } from './addresses.ts';
import type { Preflight } from './checkpoint.ts';
import { problemOf, problemsOf } from './problems.ts';
import { criuAbility } from './programs.ts';

/**
 * Says whether a restore of a container from its own checkpoint would work. Changes nothing and waits for nobody. Errors:
 * NO_SUCH_CONTAINER, AMBIGUOUS_ID; RUNTIME_UNSUPPORTED where its runtime is gone; IMAGE_INVALID for damaged images.
 */
export async function restorePreflight(
  ctx: EngineContext,
  nameOrId: string,
  options: RestoreOptions,
): Promise<Preflight> {
  const container = observe(ctx, findContainer(ctx.db, nameOrId));
  const { id, runtime: name, cgroupManager } = container.config;
  const images = checkpointDirectory(ctx.store, id);
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  const isHere = holdsImages(images);
  const { exportPath } = container.state;
  const needs = isHere ? await readImageNeeds(images) : undefined;
  const findings = [
    ...restoreFindings(container, options, {
      isRoot: process.geteuid?.() === 0,
      complete: isHere || (exportPath !== undefined && existsSync(exportPath)),
      runtime: await runtime.canCheckpoint(),
      lazy: options.lazy === true ? await lazyAbility(ctx, runtime) : undefined,
    }),
    ...(await programFindings(ctx)),
    ...(isHere ? await pageFindings(images) : []),
    ...connectionFindings(needs, options),
    // One that runs has its addresses and ports itself.
    ...(recordedAsActive(container) ? [] : await addressFindings(ctx, container, images, options)),
  ];
  return { input: nameOrId, findings };
}

async function programFindings(ctx: EngineContext): Promise<Finding[]> {
  const { problem, defects, version } = await criuAbility(ctx);
  if (problem !== undefined) return [obstacle('criu', 'CRIU_MISSING', problem.message, problem.hint)];
  if (defects.length > 0) return defects.map(({ meaning, fix }) => warning('criu', meaning, fix));
  return [ok('criu', version)];
}

async function pageFindings(images: string): Promise<Finding[]> {
  const problem = await problemOf(() => checkPageFiles(images));
  return problem === undefined ? [] : [obstacle('images', 'IMAGE_INVALID', problem.message, problem.hint)];
}

/** An address that was kept since the checkpoint is there; another one must still be free. */
async function addressFindings(
  ctx: EngineContext,
  { config, state }: Container,
  images: string,
  options: RestoreOptions,
): Promise<Finding[]> {
  const ports = state.ports ?? config.network.ports;
  const taken = await problemsOf(ports, (mapping) => checkPortsFree([mapping]));
  if (state.networkHeld && !options.ignoreStaticIp && !options.ignoreStaticMac) {
    return [ok('network', 'its address was kept'), ...portFindings(ports, taken)];
  }
  const before = Object.keys(state.networks).length > 0 ? state.networks : await readNetworkStatus(images);
  const facts = await addressFacts(
    ctx,
    { config, networks: before },
    { ignoreStaticIp: options.ignoreStaticIp },
    listContainers(ctx.db),
  );
  return [...networkFindings(config.network, facts), ...portFindings(ports, taken)];
}
