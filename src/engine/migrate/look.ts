import { randomBytes } from 'node:crypto';
import type { Container } from '../../model/container.ts';
import type { MessageOf } from '../../wire/messages.ts';
import type { EngineContext } from '../context.ts';
import { findingInOwnWords } from '../plan/migrate/own-words.ts';
import { type MigrateFacts, migrateFindings } from '../plan/migrate.ts';
import type { Finding } from '../plan/preflight/finding.ts';
import type { Conversation } from './conversation.ts';
import { departureFindings } from './departure-findings.ts';
import { foundThere } from './found-there.ts';
import { expectMessage } from './peer.ts';
import { moveRequest } from './request.ts';
import type { MigrateOptions } from './types.ts';

export interface LookOptions {
  readonly facts: MigrateFacts;
  /** Names the target. */
  readonly to: string;
  /** Nothing is to be moved. */
  readonly only: boolean;
}

/** What both hosts say of a move that has not begun: --dry-run shows it, and a start is refused by the obstacles in it. */
export interface LookedAt {
  readonly token: string;
  readonly bytes: MessageOf<'request'>['bytes'];
  readonly target: MessageOf<'findings'>;
  readonly here: readonly Finding[];
  readonly there: readonly Finding[];
}

/** What can be told here before the target is asked. */
export const foundHere = (
  container: Container,
  options: MigrateOptions,
  facts: MigrateFacts,
): readonly Finding[] => migrateFindings(container, options, facts).map(findingInOwnWords);

/** Tells the target what is to come, and hears what it thinks of it. Errors: those of the link. */
export async function lookAtMove(
  ctx: EngineContext,
  container: Container,
  options: MigrateOptions,
  { wire, facts, to, only }: LookOptions & Pick<Conversation, 'wire'>,
): Promise<LookedAt> {
  const token = randomBytes(16).toString('hex');
  const memory = facts.memoryBytes;
  const request = await moveRequest(ctx, container, options, { token, look: only, memory });
  await wire.send(request);
  const target = await expectMessage(wire, to, 'findings');
  const { bytes } = request;
  const known = { ctx, container, options, target, to, bytes };
  return {
    token,
    bytes,
    target,
    here: [...foundHere(container, options, facts), ...(await departureFindings(known))],
    there: foundThere(to, target),
  };
}
