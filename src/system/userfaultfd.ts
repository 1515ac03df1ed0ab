import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import { sleep } from './clock.ts';
import { takeDescriptor } from './libc.ts';

/** What /proc/PID/fd says of a descriptor of userfaultfd(2). */
const LINK = 'anon_inode:[userfaultfd]';

/** Milliseconds between looks: short until the first is there, which comes before the processes run. */
const FIRST_PAUSE = 5;
const LATER_PAUSE = 100;

/**
 * Takes copies of the descriptors through which a server provides the memory of other processes, from the time when it has
 * any until it ends. While somebody holds them, a process that touches missing memory waits; without, it would read zeros.
 * Resolves when the server has ended; the returned function lets the copies go.
 */
export async function holdMemory(server: number, hasEnded: () => boolean): Promise<() => void> {
  const held = new Map<number, number>();
  while (!hasEnded()) {
    for (const fd of descriptorsOf(server)) {
      if (!held.has(fd)) await take(server, fd, held);
    }
    await sleep(held.size === 0 ? FIRST_PAUSE : LATER_PAUSE);
  }
  return () => {
    for (const copy of held.values()) closeSync(copy);
    held.clear();
  };
}

/** One that is closed meanwhile belongs to a process that has ended. */
async function take(server: number, fd: number, held: Map<number, number>): Promise<void> {
  try {
    held.set(fd, await takeDescriptor(server, fd));
  } catch (error) {
    if (errnoOf(error) !== 'EBADF' && errnoOf(error) !== 'ESRCH') throw error;
  }
}

function descriptorsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === LINK)
      .map(Number);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return [];
    throw error;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return '';
    throw error;
  }
}
