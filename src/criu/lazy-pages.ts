import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
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

/** CRIU criu/uffd.c LAZY_PAGES_SOCK_NAME. */
const socketPath = (work: string): string => join(work, 'lazy-pages.socket');

/**
 * argv of the server that gives the processes of a restore with --lazy-pages their memory: what they touch at once, the
 * rest in the background. It serves one restore and ends with status 0 when the last page is in (CRIU criu/uffd.c
 * cr_lazy_pages).
 */
export const lazyPagesCommand = ({ criu, images, work }: LazyPagesRequest): string[] => [
  ...[criu, 'lazy-pages', '--images-dir', images, '--work-dir', work],
  ...['--log-file', LOG, '-v2'],
];

/** A socket that an earlier server left would be taken for this one's. */
export const forgetLazyPages = async (work: string): Promise<void> => {
  await rm(socketPath(work), { force: true });
  await rm(lazyPagesLog(work), { force: true });
};

/** Whether the server waits for its restore. */
export const lazyPagesReady = (work: string): boolean => existsSync(socketPath(work));
