import { failRun } from '../../system/process.ts';
import { fromBytes } from '../layer-stack.ts';
import { tarNames } from '../tar.ts';

const NUL = Buffer.from([0]);

/**
 * Writes the files at `changed` (paths of a tree's state) as a tar archive to the file descriptor `output`. `live`: files
 * may come, go and change meanwhile, which the next round brings; otherwise that is an error. Errors: PROGRAM_FAILED.
 */
export async function writeRound(
  root: string,
  changed: Iterable<string>,
  output: number,
  { live }: { readonly live: boolean },
): Promise<void> {
  const result = await tarNames(root, namesOf(changed), output);
  if (!result.ok && !(live && isOnlyLife(result.stderr))) failRun(result, `archive the files in ${root}`);
}

/** Names as tar reads them with --null: relative, each with a NUL byte at its end. */
function* namesOf(changed: Iterable<string>): Generator<Buffer> {
  for (const path of changed) yield Buffer.concat([fromBytes(path === '' ? '.' : `./${path}`), NUL]);
}

/** A list of paths: a NUL byte behind each, since names may hold any other. */
export const encodePaths = (paths: readonly string[]): Buffer =>
  fromBytes(paths.map((path) => `${path}\0`).join(''));

export const decodePaths = (bytes: Buffer): string[] => bytes.toString('latin1').split('\0').slice(0, -1);

/** GNU tar's words for files that changed or went away while it read them, and for what follows from that. */
const LIFE =
  /: (?:Cannot [a-z ]+: (?:No such file or directory|Not a directory)|[Ff]ile removed before we read it|[Ff]ile changed as we read it|[Ff]ile shrank by .*|[Ee]xiting with failure status due to previous errors)$/;

/** tar ends with the same exit status for these and for errors of the disk, of which its words alone tell. */
const isOnlyLife = (stderr: string): boolean =>
  stderr
    .trim()
    .split('\n')
    .every((line) => LIFE.test(line));
