import { type FileTable, readDescriptors, readDirectories } from '../../criu/view/file-entries.ts';
import { describeFile, filePath, type OpenFile } from '../../criu/view/files.ts';
import { describeSocket, type OpenSocket } from '../../criu/view/sockets.ts';
import { filesIdOf } from '../../criu/view/tasks.ts';
import { fail } from '../../model/errors.ts';

/** What may still be read of a checkpoint, and what was. */
export interface Budget {
  textBytes: number;
  descriptors: number;
  /** By the number of the table: processes may share one. */
  readonly tables: Map<number, OpenedHere>;
}

interface OpenedHere {
  readonly files: readonly OpenFile[];
  readonly sockets: readonly OpenSocket[];
}

/** What a process has open. Errors: IMAGE_INVALID. */
export async function readTaskFiles(
  images: string,
  pid: number,
  table: FileTable,
  budget: Budget,
): Promise<OpenedHere & { readonly cwd: string; readonly root: string }> {
  const id = await filesIdOf(images, pid);
  const opened = id === undefined ? { files: [], sockets: [] } : await readTable(images, id, table, budget);
  budget.descriptors -= opened.files.length;
  if (budget.descriptors < 0) {
    fail('IMAGE_INVALID', {
      message: `the files that process ${pid} and those before it have open are too many`,
    });
  }
  const directories = await readDirectories(images, pid);
  const path = (file: number | undefined): string =>
    file === undefined ? '' : (filePath(table, file) ?? '');
  return { ...opened, cwd: path(directories?.cwd), root: path(directories?.root) };
}

async function readTable(
  images: string,
  id: number,
  table: FileTable,
  { tables }: Budget,
): Promise<OpenedHere> {
  const known = tables.get(id);
  if (known !== undefined) return known;
  const descriptors = (await readDescriptors(images, id)).toSorted((one, other) => one.fd - other.fd);
  const opened = {
    files: descriptors.map((descriptor) => describeFile(descriptor, table)),
    sockets: descriptors
      .map((descriptor) => describeSocket(descriptor, table))
      .filter((one) => one !== undefined),
  };
  tables.set(id, opened);
  return opened;
}
