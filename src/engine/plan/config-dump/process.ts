import type { ConfigDump, SpecDump } from './schema.ts';

/** What podman puts into every environment, and cryopod in its own way. */
const ENGINES_VARIABLES = new Set(['container', 'HOSTNAME', 'TERM']);

/** NAME=value of the user's and the image's. */
export const podmanEnv = ({ process }: SpecDump): string[] =>
  (process.env ?? []).filter((entry) => {
    const [name = '', value] = entry.split('=', 2);
    if (name === 'TERM') return value !== 'xterm';
    return !ENGINES_VARIABLES.has(name);
  });

/** Entrypoint and command apart; podman notes the entrypoint only where it was given on the command line. */
export function podmanArguments(
  { entrypoint = [], command = [] }: ConfigDump,
  { process }: SpecDump,
): { readonly entrypoint: readonly string[]; readonly command: readonly string[] } {
  const args = process.args ?? [];
  const before = args.length - command.length;
  if (before >= 0 && isSame(args.slice(before), command)) {
    return { entrypoint: args.slice(0, before), command };
  }
  const isEntrypoint = entrypoint.length > 0 && isSame(args.slice(0, entrypoint.length), entrypoint);
  return isEntrypoint
    ? { entrypoint, command: args.slice(entrypoint.length) }
    : { entrypoint: [], command: args };
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((word, index) => word === b[index]);

/** A time of Go's in UTC; other zones than UTC are podman's on a host with such a clock. */
export const utcTime = (text: string): string => {
  if (text.endsWith('Z')) return text;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? text : new Date(milliseconds).toISOString().replace('Z', '000000Z');
};
