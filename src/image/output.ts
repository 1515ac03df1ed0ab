import { open, rm, stat } from 'node:fs/promises';
import { errnoOf } from '../model/errors.ts';
import { publish, tempBeside } from '../system/durable.ts';

/** Where an archive goes: a path, or an open file or pipe such as standard output. */
export type Output = { readonly path: string } | { readonly fd: number };

/**
 * Gives `write` a descriptor. A regular file appears complete and durable, or not at all; a pipe or device is written as
 * it is.
 */
export async function writeOutput(output: Output, write: (fd: number) => Promise<unknown>): Promise<void> {
  if ('fd' in output) {
    await write(output.fd);
    return;
  }
  const temp = (await isSpecial(output.path)) ? undefined : tempBeside(output.path);
  const file = await open(temp ?? output.path, temp === undefined ? 'w' : 'wx', 0o644);
  try {
    await write(file.fd);
    if (temp === undefined) return;
    await file.sync();
    await publish(temp, output.path);
  } catch (error) {
    if (temp !== undefined) await rm(temp, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
