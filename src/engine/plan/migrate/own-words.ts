import { CryopodError, isCryopodError } from '../../../model/errors.ts';
import type { Finding } from '../preflight/finding.ts';

/** What checkpoints, imports and restores say, and what a migration says instead: it has not all of their options, and two hosts. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/ \(give it to the restore too\)/, ''],
  [/, or export without --leave-running/, ''],
  [
    /cannot export checkpoints of containers with dependencies/,
    'cannot migrate containers with dependencies',
  ],
  [/\. Use --ignore-volumes to not restore content of volumes/, ''],
  [/Use --ignore-volumes, or remove it first:/, 'Remove it there if nobody needs it:'],
  [/or remove it first: cryopod rm/, 'or remove the other one there: cryopod rm'],
  [
    /Add --trust if you know where the archive comes from and want that\./,
    'That is for the target to grant: with cryopod receive --trust there, as the command that the key is good for.',
  ],
  [
    /Leave --runtime out: (\S+) is used then\./,
    'Let cryopod receive choose the runtime there: $1 is used then.',
  ],
  [/Name it with --runtime if it is one of yours; cryopod knows/, 'cryopod knows'],
  [/, or --tcp-close to (?:restore them as closed|bring them back closed)/, ', or close them first'],
  [/; or use --tcp-close/, '; or close its connections first'],
  [/^Use --tcp-close\.$/, 'Close its connections first.'],
  [
    /Use --ignore-static-ip for a new address\./,
    'Make the address free there, or give --name for a container with a name and an address of its own.',
  ],
  [/Publish another one with --publish\./, 'Make the port free there.'],
  [/Publish another host port, or stop what uses (\S+)/, 'Stop there what uses $1'],
  [/; publish on one it has\./, '.'],
  [/(?:;|,) or export (?:the container )?with --with-image/, ''],
  [/Restore it without --lazy\./, 'Use --mode cold or pre-copy.'],
  [/; its checkpoint is kept/, ''],
  [/ and restore again; the checkpoint is kept/, ''],
  [/ and restore again\./, '.'],
  [/Restore (?:it )?on a (machine|host|CPU)/, 'It needs a $1'],
  [
    /The checkpoint is damaged; take it again, or copy it anew\./,
    'What came over the link is damaged: try again.',
  ],
  [/Make it first: cryopod network/, 'Make it there first: cryopod network'],
  [/Create it on the host first\./, 'Create it there first.'],
  [
    /Load it with apparmor_parser, or restore a container made with/,
    'Load it there with apparmor_parser, or move a container made with',
  ],
  [/Copy it from the host of the checkpoint\./, 'Copy it there.'],
  [/Give the archive of the pre-checkpoint too: --import-previous FILE/, ''],
  [/It is a pre-checkpoint, which holds memory only: .*/, ''],
];

const inOwnWords = (text: string): string =>
  WORDS.reduce((said, [theirs, own]) => said.replace(theirs, own), text);

/** A hint of which nothing is left is none. */
const hintOf = (hint: string | undefined): string | undefined =>
  hint === undefined ? undefined : inOwnWords(hint) || undefined;

/** A finding as a migration tells it. Pure. */
export const findingInOwnWords = (finding: Finding): Finding => ({
  ...finding,
  sentence: inOwnWords(finding.sentence),
  hint: hintOf(finding.hint),
});

/** An error as a migration tells it; any other than cryopod's own is given back as it is. */
export function errorInOwnWords(error: unknown): unknown {
  if (!isCryopodError(error)) return error;
  const told = new CryopodError(error.code, {
    message: inOwnWords(error.message),
    hint: hintOf(error.hint),
    cause: error.cause,
    log: error.log,
  });
  told.cleanupErrors.push(...error.cleanupErrors);
  return told;
}
