import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What CRIU's server of pages needs. */
export interface LazyPagesRequest {
  /** The program, from the probe. */
  readonly criu: string;
  /** Directory of the checkpoint's images. */
  readonly images: string;
  /** The restore's own work directory: there CRIU looks for the server's socket. */
  readonly work: string;
}

const LOG = 'lazy-pages.log';

export const lazyPagesLog = (work: string): string => join(work, LOG);

/** Where CRIU's restore looks for who provides the memory: CRIU criu/uffd.c LAZY_PAGES_SOCK_NAME. */
export const lazyPagesSocket = (work: string): string => join(work, 'lazy-pages.socket');

/** Where the server's exit status is written once it has ended, whoever lives then. */
const statusPath = (work: string): string => join(work, 'lazy-pages.status');

/**
 * Constant text, given to sh as it is: no engine process need live to learn how the server ended. Signals that end whole
 * sessions and hosts do not reach it: its clients would read zeros.
 */
const RECORDED = 'trap "" HUP INT QUIT TERM; "$@"; status=$?; echo "$status" >"$0"; exit "$status"';

/**
 * argv of the server that gives the processes of a restore with --lazy-pages their memory: what they touch at once, the
 * rest in the background. It serves one restore and ends with status 0 when the last page is in (CRIU criu/uffd.c
 * cr_lazy_pages). Only SIGKILL ends it before.
 */
export const lazyPagesCommand = ({ criu, images, work }: LazyPagesRequest): string[] => [
  ...['sh', '-c', RECORDED, statusPath(work)],
  ...[criu, 'lazy-pages', '--images-dir', images, '--work-dir', work],
  ...['--log-file', LOG, '-v2'],
];

/** What an earlier server left would be taken for this one's. */
export async function forgetLazyPages(work: string): Promise<void> {
  for (const path of [lazyPagesSocket(work), lazyPagesLog(work), statusPath(work)])
    await rm(path, { force: true });
}

/** Whether the server waits for its restore. */
export const lazyPagesReady = (work: string): boolean => existsSync(lazyPagesSocket(work));

/** Whether a server that has ended had given every page. */
export const lazyPagesWhole = (work: string): boolean =>
  existsSync(statusPath(work)) && readFileSync(statusPath(work), 'utf8').trim() === '0';

/** The same as a server's exit status says, of who provided the memory in its place. */
export const noteLazyPagesWhole = (work: string): Promise<void> => writeFile(statusPath(work), '0\n');
