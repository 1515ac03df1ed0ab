import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import { sleep } from './clock.ts';
import { takeDescriptor } from './libc.ts';

/** What /proc/PID/fd says of a descriptor of userfaultfd(2). */
const LINK = 'anon_inode:[userfaultfd]';

/** Milliseconds between looks. The first descriptor comes well before the processes run; later ones are of new children. */
const PAUSE = 5;

/**
 * Takes copies of the descriptors through which the processes `servers()` provide the memory of others, until `ended`
 * settles. While somebody holds them, a process that touches missing memory waits; without, it would read zeros. Resolves
 * then; the returned function lets the copies go.
 */
export async function holdMemory(
  servers: () => readonly number[],
  ended: Promise<unknown>,
): Promise<() => void> {
  const held = new Map<string, number>();
  let hasEnded = false;
  const end = ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    for (const server of servers()) {
      for (const fd of descriptorsOf(server)) {
        if (!held.has(`${server} ${fd}`)) await take(server, fd, held);
      }
    }
    await Promise.race([end, sleep(PAUSE)]);
  }
  return () => {
    for (const copy of held.values()) closeSync(copy);
    held.clear();
  };
}

/** Whether this kernel, and the C library's binding, can take descriptors of other processes. */
export async function canHoldMemory(): Promise<boolean> {
  try {
    closeSync(await takeDescriptor(process.pid, 2));
    return true;
  } catch {
    return false;
  }
}

/** One that is closed meanwhile belongs to a process that has ended. */
async function take(server: number, fd: number, held: Map<string, number>): Promise<void> {
  try {
    held.set(`${server} ${fd}`, await takeDescriptor(server, fd));
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
