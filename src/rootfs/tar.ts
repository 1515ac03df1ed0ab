import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoOf, fail } from '../model/errors.ts';
import { failRun, type RunResult, run } from '../system/process.ts';

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

/**
 * Writes the named files and directories below `root`, and nothing else, as a tar archive to the file descriptor `output`.
 * `names`: relative, each with a NUL byte at its end. Sockets are left out. Gives what became of tar.
 */
export async function tarNames(
  root: string,
  names: AsyncIterable<Buffer> | Iterable<Buffer>,
  output: number,
): Promise<RunResult> {
  const command = [
    'tar',
    '--create',
    '--file=-',
    `--directory=${root}`,
    '--format=posix',
    ...FAITHFUL,
    '--sparse',
    '--no-recursion',
    '--warning=no-file-ignored',
    '--null',
    '--verbatim-files-from',
    '--files-from=-',
  ];
  let feeding: Promise<void> = Promise.resolve();
  let failed: { readonly error: unknown } | undefined;
  const result = await run(command, {
    stdin: 'pipe',
    stdout: output,
    onSpawn: ({ stdin }) => {
      // Held until tar has ended: a rejection that nobody waits for would end the process in the middle of its work.
      if (stdin === null) return;
      feeding = feed(names, stdin).catch((error: unknown) => {
        failed = { error };
      });
    },
  });
  await feeding;
  if (failed !== undefined) throw failed.error;
  return result;
}

async function feed(
  names: AsyncIterable<Buffer> | Iterable<Buffer>,
  stdin: NodeJS.WritableStream,
): Promise<void> {
  try {
    await pipeline(Readable.from(names), stdin);
  } catch (error) {
    // tar ended early; its exit status tells the story.
    if (errnoOf(error) !== 'EPIPE' && errnoOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
