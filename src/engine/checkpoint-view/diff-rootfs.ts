import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { MEMBER } from '../../archive/members.ts';
import { fail } from '../../model/errors.ts';
import { runOk } from '../../system/process.ts';
import { diffLists, type ListDiff } from './diff-lists.ts';
import { DELETED_FILES, parseMember } from './member-schema.ts';
import { read } from './metadata.ts';
import type { CheckpointView } from './open.ts';

/** Bytes of a listing: some 100 a file. */
const MAX_LISTING = 64 << 20;

export interface RootfsDiff extends ListDiff<string> {
  /** In both, with another size, time, mode, owner or kind. */
  readonly changed: readonly string[];
}

/**
 * How the files that the container had changed differ. A path in `added` was changed or deleted against the base image
 * in the second checkpoint only. Undefined where one of the checkpoints does not hold the root file system's changes.
 * Errors: ARCHIVE_INVALID, PROGRAM_FAILED.
 */
export async function diffRootfs(
  before: CheckpointView,
  after: CheckpointView,
): Promise<RootfsDiff | undefined> {
  const old = await changesIn(before);
  const now = await changesIn(after);
  if (old === undefined || now === undefined) return undefined;
  const paths = diffLists([...old.keys()], [...now.keys()], (path) => path);
  const changed = [...now]
    .filter(([path, facts]) => old.has(path) && old.get(path) !== facts)
    .map(([path]) => path);
  return { added: sorted(paths.added), gone: sorted(paths.gone), changed: sorted(changed) };
}

const sorted = (paths: readonly string[]): string[] => paths.toSorted((one, other) => (one < other ? -1 : 1));

/** Paths with what is known of them. */
async function changesIn({ members, rootfsTree }: CheckpointView): Promise<Map<string, string> | undefined> {
  if (members === undefined) return undefined;
  const archive = join(members, MEMBER.rootfsDiff);
  const deleted = read(members, MEMBER.deleted);
  // A link in the layer of a checkpoint image could lead to any file of the host.
  const hasArchive = lstatSync(archive, { throwIfNoEntry: false })?.isFile() === true;
  if (!hasArchive && rootfsTree === undefined && deleted === undefined) return undefined;
  const changes = hasArchive
    ? await listing(['--list', '--force-local', `--file=${archive}`])
    : rootfsTree === undefined
      ? new Map<string, string>()
      : await listing(['--create', '--verbose', '--file=/dev/null', `--directory=${rootfsTree}`, '.']);
  if (deleted !== undefined && deleted.trim() !== '') {
    for (const path of parseMember(DELETED_FILES, deleted, MEMBER.deleted)) changes.set(path, 'deleted');
  }
  return changes;
}

/** Lines such as `-rw-r--r-- 0/0  12 2026-11-24 08:26:05.1 ./etc/x`, control characters of names escaped. */
const LINE = /^(\S+ \S+ +\S+ \S+ \S+) +(.*)$/;

/** What tar says of the files of an archive, or of a tree, of which it then reads no content (tar manual, "create"). */
async function listing(source: readonly string[]): Promise<Map<string, string>> {
  const command = ['tar', '--verbose', '--full-time', '--numeric-owner', '--quoting-style=escape', ...source];
  const text = await runOk(command, 'list the changed files of a checkpoint', { maxOutput: MAX_LISTING });
  if (text.length >= MAX_LISTING) {
    fail('ARCHIVE_INVALID', {
      message: `${MEMBER.rootfsDiff} of a checkpoint lists more files than any container has`,
    });
  }
  const files = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, facts, name] = LINE.exec(line) ?? [];
    if (facts === undefined || name === undefined) continue;
    // tar pads sizes and times to the widest so far.
    files.set(`/${name.replace(/^\.?\//, '').replace(/\/$/, '')}`, facts.replace(/ +/g, ' '));
  }
  return files;
}
