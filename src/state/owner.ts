import { bootId, isAlive, processStat } from '../system/procfs.ts';

/** The process that holds a lock or a journal entry, named so that a reused PID or a reboot is noticed. */
export interface Owner {
  readonly pid: number;
  readonly pidStart: string;
  readonly bootId: string;
}

let self: Owner | undefined;

export function thisProcess(): Owner {
  self ??= { pid: process.pid, pidStart: processStat(process.pid)?.startTime ?? '', bootId: bootId() };
  return self;
}

export const ownerLives = (owner: Owner): boolean =>
  owner.bootId === bootId() && isAlive(owner.pid, owner.pidStart);

/** Reads an owner from the columns that the locks and journal tables share. */
export const ownerOf = (row: Record<string, unknown>): Owner => ({
  pid: Number(row.pid),
  pidStart: String(row.pid_start),
  bootId: String(row.boot_id),
});
