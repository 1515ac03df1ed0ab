import type { Container } from '../../model/container.ts';

/** The command that lets a container go on from its checkpoint here. */
export function restoreCommand(
  { config: { name } }: Container,
  { tcpEstablished, fileLocks }: { readonly tcpEstablished: boolean; readonly fileLocks: boolean },
): string {
  const flags = [tcpEstablished ? ' --tcp-established' : '', fileLocks ? ' --file-locks' : ''].join('');
  return `cryopod container restore${flags} ${name}`;
}

/** What to do with a container that is in doubt. */
export const settleHint = (name: string): string =>
  `Ask the other host once it can be reached: cryopod migrate --settle ${name}. If you know that it does not run there and never will: cryopod migrate --settle --here ${name}`;
