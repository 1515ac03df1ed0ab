import { fail } from '../model/errors.ts';
import { failRun, run } from '../system/process.ts';

/** The options with which a tar keeps everything that a file has, as a layer of an image would keep it. */
export const FAITHFUL: readonly string[] = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

/**
 * Unpacks a tar archive that may be hostile into an empty directory. GNU tar refuses `..`, makes absolute names relative
 * and makes links that lead out of the directory last, so that nothing is written through one. Attributes of overlayfs
 * are not taken. `listing`: an open file that gets the members' names, a line each, in the quoting style "escape". Fails with
 * ARCHIVE_INVALID; `what` completes "cannot unpack …".
 */
export async function unpackTree(
  directory: string,
  input: number,
  what: string,
  { listing }: { readonly listing?: number } = {},
): Promise<void> {
  const command = [
    'tar',
    '--extract',
    '--file=-',
    `--directory=${directory}`,
    '--same-owner',
    '--preserve-permissions',
    '--delay-directory-restore',
    '--warning=no-timestamp',
    '--warning=no-unknown-keyword',
    ...FAITHFUL,
    '--xattrs-exclude=trusted.*',
    ...(listing === undefined ? [] : ['--verbose', '--quoting-style=escape']),
  ];
  const result = await run(command, { input, ...(listing === undefined ? {} : { stdout: listing }) });
  if (result.missing) failRun(result, `unpack ${what}`);
  if (result.ok) return;
  const words = result.stderr.trim().split('\n').slice(-3).join('; ');
  if (words.includes('No space left')) fail('NO_SPACE', { message: `could not unpack ${what}: ${words}` });
  fail('ARCHIVE_INVALID', { message: `cannot unpack ${what}: ${words}` });
}
