import { ERROR_TABLE, type ErrorCode } from '../../model/errors.ts';
import type { MessageOf } from '../../wire/messages.ts';
import type { CheckName, Finding } from '../plan/preflight/finding.ts';
import { printable } from './peer.ts';

/** What the target has found, as findings of this side. `to` names it in the sentences of obstacles. */
export const foundThere = (to: string, { findings }: MessageOf<'findings'>): readonly Finding[] =>
  findings.map(({ check, level, sentence, hint, code }) => ({
    check: printable(check) as CheckName,
    level,
    sentence: level === 'obstacle' ? `${to}: ${printable(sentence)}` : printable(sentence),
    hint: OWN_HINTS[check]?.(to) ?? (hint === undefined ? undefined : printable(hint)),
    code: code !== undefined && Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'MIGRATION_REFUSED',
  }));

/** Where the hints of an import name options that a migration does not have. */
const OWN_HINTS: Readonly<Record<string, (to: string) => string>> = {
  security: (to) =>
    `That is for ${to} to grant: with cryopod receive --trust there, as the command that the key is good for.`,
  volumes: (to) => `Remove the volume at ${to} if nobody needs it: cryopod volume rm.`,
};
