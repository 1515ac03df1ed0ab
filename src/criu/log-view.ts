/** Reading CRIU's logs at level 4: what stands around the line that reports a failure. */

/** A descriptor of a process, as CRIU dumps it. */
export interface LoggedDescriptor {
  readonly pid: number;
  readonly fd: number;
}

/** criu/files.c fill_fd_params: `28873 fdinfo 3: pos: …` stands before everything about the descriptor. */
const DESCRIPTOR = /\b(\d+) fdinfo (-?\d+): pos:/;

const lastMatch = (lines: readonly string[], from: number, pattern: RegExp): RegExpExecArray | undefined => {
  for (let index = from; index >= 0; index -= 1) {
    const match = pattern.exec(lines[index] ?? '');
    if (match !== null) return match;
  }
  return undefined;
};

/** The descriptor that CRIU was at when it wrote the line `at`. */
export function descriptorAt(lines: readonly string[], at: number): LoggedDescriptor | undefined {
  const match = lastMatch(lines, at, DESCRIPTOR);
  return match && { pid: Number(match[1]), fd: Number(match[2]) };
}

/** The first line that matches, with the descriptor it belongs to. */
export function findDescriptor(lines: readonly string[], pattern: RegExp): LoggedDescriptor | undefined {
  const at = lines.findIndex((line) => pattern.test(line));
  return at === -1 ? undefined : descriptorAt(lines, at);
}

/** criu/file-lock.c, criu/proc_parse.c: the lock is told just before its descriptor, whose path follows. */
export function findLock(
  lines: readonly string[],
): (LoggedDescriptor & { readonly path: string | undefined }) | undefined {
  const at = lines.findIndex((line) => /\blockinfo: \d/.test(line));
  if (at === -1) return undefined;
  const after = lines.slice(at);
  const match = after.map((line) => DESCRIPTOR.exec(line)).find((found) => found !== null);
  if (match === undefined || match === null) return undefined;
  const fd = Number(match[2]);
  const path = after
    .map((line) => /Dumping path for (-?\d+) fd via self \d+ \[(.*)\]/.exec(line))
    .find((found) => found !== null && Number(found[1]) === fd);
  return { pid: Number(match[1]), fd, path: path?.[2] };
}

/** criu/sk-inet.c inet_collect_one: the port of the socket that CRIU was at when it wrote the line `at`. */
export function localAddressAt(lines: readonly string[], at: number): string | undefined {
  const inode = lastMatch(lines, at, /Searching for socket (0x[0-9a-f]+) family/)?.[1];
  if (inode === undefined) return undefined;
  const line = lines.find((text) => text.includes('inet:') && text.includes(`ino ${inode.padStart(8)} `));
  const match = /port\s+(\d+) state \S+\s+src_addr (\S+)/.exec(line ?? '');
  return match === null ? undefined : addressText(match[2] ?? '', match[1] ?? '');
}

const addressText = (address: string, port: string): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** criu/sk-unix.c dump_external_sockets: the socket that leads out, and the name of its other end where it has one. */
export function findRunawaySocket(
  lines: readonly string[],
): (Partial<LoggedDescriptor> & { readonly peer: string | undefined }) | undefined {
  const runaway = lines
    .map((line) => /Runaway socket: ino \d+ peer_ino (\d+) .* name (.*)$/.exec(line))
    .find((found) => found !== null);
  if (runaway === undefined || runaway === null) return undefined;
  const owner = findDescriptor(lines, new RegExp(`unix: \\s*Dumping: ino ${runaway[1]} `));
  return { ...owner, peer: runaway[2] === 'null' ? undefined : runaway[2] };
}

/** criu/cr-dump.c dump_one_task, cr_dump_tasks: command names by PID, as the log tells them. */
export function loggedCommands(lines: readonly string[]): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of lines) {
    const match = /Dumping (?:task|processes) \(pid: (\d+) comm: (.*)\)/.exec(line);
    if (match !== null) names.set(Number(match[1]), match[2] ?? '');
  }
  return names;
}
