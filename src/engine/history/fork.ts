import { monotonicMicroseconds } from '../../system/clock.ts';
import type { EngineContext } from '../context.ts';
import { findingsOf, type ImportChoice, settleAddresses, thawArchive } from '../import.ts';
import type { Finding } from '../plan/preflight/finding.ts';
import { refuseImport } from '../plan/preflight/import.ts';
import type { RestoreResult } from '../restore.ts';
import type { CheckpointReference } from './find.ts';
import { asArchive, withSnapshot } from './snapshot.ts';

/** A name is what makes it another container. */
export type ForkOptions = ImportChoice & { readonly name: string };

/**
 * Makes a new container of a checkpoint of another one's history, as an import does of an archive; that one may run and
 * its history stays. Memory is not copied. Errors: those of importContainer, NO_SUCH_OBJECT.
 */
export async function forkCheckpoint(
  ctx: EngineContext,
  reference: CheckpointReference,
  options: ForkOptions,
): Promise<RestoreResult> {
  const begun = monotonicMicroseconds();
  return await withSnapshot(ctx, reference, { whole: true }, async (snapshot) => {
    const archive = await asArchive(snapshot, reference.text, options);
    const choice = await settleAddresses(ctx, archive.view, options);
    refuseImport(await findingsOf(ctx, archive.view, choice));
    const { id, ...figures } = await thawArchive(ctx, archive, choice);
    return { input: reference.text, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

/** What would become of it; creates nothing. Errors: NO_SUCH_OBJECT. */
export const forkPreflight = (
  ctx: EngineContext,
  reference: CheckpointReference,
  options: ForkOptions,
): Promise<readonly Finding[]> =>
  withSnapshot(ctx, reference, { whole: true }, async (snapshot) => {
    const { view } = await asArchive(snapshot, reference.text, options);
    return await findingsOf(ctx, view, await settleAddresses(ctx, view, options));
  });
