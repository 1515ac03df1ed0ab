import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import { listImages } from '../../state/images.ts';
import { freeBytes } from '../../system/space.ts';
import type { MessageOf } from '../../wire/messages.ts';
import type { Wire } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import { findingsOf, type ImportChoice, settleAddresses } from '../import.ts';
import { viewOf } from '../import-archive.ts';
import type { WantedImage } from '../import-image.ts';
import { lazyAbility } from '../lazy-pages.ts';
import { networksOf } from '../network/moving.ts';
import { arrivalFindings } from '../plan/migrate/arrival.ts';
import { findingInOwnWords } from '../plan/migrate/own-words.ts';
import { addressMoveFindings } from '../plan/preflight/address-move.ts';
import { passes, refuseObstacles } from '../plan/preflight/finding.ts';

export interface Look {
  readonly wire: Wire;
  readonly request: MessageOf<'request'>;
  /** Empty. */
  readonly directory: string;
  readonly choice: ImportChoice;
}

export interface Looked {
  /** With its addresses settled. */
  readonly choice: ImportChoice;
  /** The container's image, where it is not here. */
  readonly lacking: WantedImage | undefined;
  /** It can run here before all its memory is in place. */
  readonly lazy: boolean;
}

/**
 * Judges at the target what is to come as an import is judged, tells the source, and refuses what cannot work. Errors: those
 * of a preflight, ARCHIVE_INVALID.
 */
export async function lookAtRequest(
  ctx: EngineContext,
  { wire, request, directory, choice }: Look,
): Promise<Looked> {
  const place = join(directory, 'request');
  await mkdir(join(place, MEMBER_DIRECTORY.images), { recursive: true, mode: 0o700 });
  const contents = {
    [MEMBER.config]: request.config,
    [MEMBER.spec]: request.spec,
    [MEMBER.facts]: request.facts,
    [MEMBER.network]: request.networks,
  };
  for (const [name, content] of Object.entries(contents)) await writeFile(join(place, name), content);
  const view = await viewOf(place, SOURCE_NAME, undefined);
  const settled = await settleAddresses(ctx, view, choice);
  const target = await networksOf(ctx, view.networks ?? {});
  const { imageId } = view.config;
  const present = listImages(ctx.db).some(({ id }) => id === imageId);
  const room = { bytes: request.bytes, free: await freeBytes(ctx.store.root), directory: ctx.store.root };
  const findings = [
    ...arrivalFindings(await findingsOf(ctx, view, settled), room),
    ...addressMoveFindings({ ...request.address, source: request.address.networks, target }),
  ];
  const { runtime, cgroupManager } = view.config;
  const ability = await lazyAbility(ctx, openRuntime(ctx.store, runtime, { cgroupManager })).catch(
    () => undefined,
  );
  const lazy = ability?.criu === true && ability.runtime.able;
  await wire.send({
    type: 'findings',
    findings: findings.map((finding) => ({ ...findingInOwnWords(finding) })),
    lacksImage: !present,
    lazy,
  });
  // The source refuses in words of its own.
  if (!passes(findings) && !request.look) refuseObstacles(findings);
  return { choice: settled, lacking: present ? undefined : view.config, lazy };
}

/** What comes, in messages that go on after it. */
export const SOURCE_NAME = 'the stream';
