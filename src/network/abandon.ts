import { closeSync } from 'node:fs';
import { messageOf } from '../model/errors.ts';
import { check, libc, takeDescriptor } from '../system/libc.ts';
import { logInfo } from '../system/log.ts';
import { heldConnections } from './connections.ts';

/** netinet/in.h, linux/tcp.h. */
const IPPROTO_TCP = 6;
const TCP_REPAIR = 19;

/**
 * Lets the TCP connections of frozen processes vanish with them, as CRIU does: the kernel neither tells their other ends nor
 * goes on trying to, which would keep the addresses of their ends from a restore in this namespace. Only where the
 * processes below `initPid` never run again. May be repeated. What cannot be reached is left as it is, with a line in the log.
 */
export async function abandonConnections(initPid: number): Promise<void> {
  const calls = await libc();
  const on = Buffer.alloc(4);
  on.writeInt32LE(1);
  for (const { pid, fd, local, remote } of heldConnections(initPid)) {
    const doing = `abandon the connection ${local} to ${remote}`;
    try {
      const copy = await takeDescriptor(pid, fd);
      check(calls.setsockopt(copy, IPPROTO_TCP, TCP_REPAIR, on, on.length), calls, doing);
      closeSync(copy);
    } catch (error) {
      logInfo(`could not ${doing}: ${messageOf(error)}`);
    }
  }
}
