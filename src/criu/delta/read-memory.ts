import { fail } from '../../model/errors.ts';
import type { DeltaFigures } from './figures.ts';
import { type JobOptions, runJob } from './job.ts';
import { makeImages } from './new-directory.ts';

export interface ReadMemoryOptions extends JobOptions {
  /** `hostPid`: as this process sees it; `pid`: inside the container's PID namespace, by which images are named. */
  readonly processes: readonly { readonly hostPid: number; readonly pid: number }[];
  /** Directory to make; it must not exist. */
  readonly into: string;
  /** Images to build on; `link` is the text of the symbolic link to them from where `into` will finally lie. */
  readonly parent?: string | undefined;
  readonly link?: string | undefined;
}

/**
 * Reads the private memory of running processes from outside into the directory `into` (0700), in the form of a pre-dump of
 * CRIU. The processes are neither stopped nor slowed but for the memory bandwidth, so that a page may be torn, or older than
 * its neighbour: these images serve as a parent only, where each page is compared with the final one's content. Mappings
 * and processes that go away meanwhile are left out; huge pages, shared memory and devices always. What was written is
 * synced before this returns. Fails with IMAGE_INVALID (of the parent), NO_SPACE, INTERRUPTED, or the system's error;
 * `into` is removed then.
 */
export function readMemory({
  processes,
  into,
  parent,
  link,
  ...options
}: ReadMemoryOptions): Promise<DeltaFigures> {
  if ((parent === undefined) !== (link === undefined)) {
    fail('INTERNAL', { message: `${into} needs both a parent and a link to it, or neither` });
  }
  return makeImages(into, link, () =>
    runJob({ verb: 'live', processes, parent, into }, 'read memory', options),
  );
}
