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
    hint: hint && printable(hint),
    code: code !== undefined && Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'MIGRATION_REFUSED',
  }));
