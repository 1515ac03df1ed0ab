import { posix } from 'node:path';
import type { DeviceMapping, NamespaceMode } from '../../../model/container.ts';
import { cut, quoted, refuse } from './usage.ts';

/** --entrypoint: a JSON array of strings, or one word; empty clears the image's. */
export function parseEntrypoint(text: string): string[] {
  if (text === '') return [];
  if (!text.trimStart().startsWith('[')) return [text];
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((word) => typeof word === 'string')) return value;
  } catch (error) {
    // Not JSON: podman takes the text as the name of a program then.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return [text];
}

const isDeviceMode = (text: string): boolean =>
  /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;

/** One value of --device: `HOST[:CONTAINER][:rwm]`. Throws USAGE. */
export function parseDevice(text: string): DeviceMapping {
  const [hostPath = '', second, third, ...more] = text.split(':');
  if (hostPath === '' || more.length > 0) refuse(`invalid device specification: ${text}`);
  if (!hostPath.startsWith('/')) refuse(`invalid device specification: ${text}: the path must be absolute`);
  if (third !== undefined && !isDeviceMode(third)) refuse(`invalid device mode: ${third}`);
  const secondIsMode = second !== undefined && isDeviceMode(second);
  if (second !== undefined && !secondIsMode && !second.startsWith('/'))
    refuse(`invalid device mode: ${second}`);
  return {
    hostPath: posix.normalize(hostPath),
    containerPath: posix.normalize(second === undefined || secondIsMode ? hostPath : second),
    permissions: third ?? (secondIsMode ? second : 'rwm'),
  };
}

function parseNamespace(text: string): NamespaceMode {
  if (text === 'host') return { mode: 'host' };
  if (text === 'private' || text === '') return { mode: 'private' };
  const [word, target] = cut(text, ':');
  if ((word === 'container' || word === 'ns') && target !== undefined) {
    if (target === '') refuse(`namespace mode ${word === 'ns' ? 'path' : word} requires a value`);
    return { mode: word, target };
  }
  return refuse(`unrecognized namespace mode ${text} passed`);
}

/** --pid: private, host, container:ID, ns:PATH. Throws USAGE. */
export const parsePid = parseNamespace;

/** --uts: private, host, container:ID, ns:PATH. Throws USAGE. */
export const parseUts = parseNamespace;

/** --ipc: shareable (the default), none, and the modes of --pid. Throws USAGE. */
export function parseIpc(text: string): NamespaceMode {
  if (text === '' || text === 'shareable') return { mode: 'shareable' };
  return text === 'none' ? { mode: 'none' } : parseNamespace(text);
}

/** --filter key=value, repeatable: the values of each key. Keys that are not known are refused. Throws USAGE. */
export function parseFilters(values: readonly string[], known: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const entry of values) {
    const [key, value] = cut(entry, '=');
    if (value === undefined) {
      return refuse(`filter input must be in the form of filter=value: ${entry} is invalid`);
    }
    const name = key.replace(/!$/, '');
    if (!known.includes(name) && !known.includes(key)) refuse(`${name} is an invalid filter`);
    filters.set(key, [...(filters.get(key) ?? []), value]);
  }
  return filters;
}

const PULL = {
  always: 'always',
  missing: 'missing',
  ifmissing: 'missing',
  ifnotpresent: 'missing',
  newer: 'newer',
  ifnewer: 'newer',
  never: 'never',
} as const;
type PullPolicy = (typeof PULL)[keyof typeof PULL];

/** --pull: always, missing, never, newer and podman's other names for them, true and false. Throws USAGE. */
export function parsePull(text: string): PullPolicy {
  const word = text.toLowerCase();
  if (word === '' || word === 'false' || word === '0') return 'missing';
  if (word === 'true' || word === '1') return 'always';
  for (const [name, policy] of Object.entries(PULL)) if (name === word) return policy;
  return refuse(`unsupported pull policy ${quoted(text)}`);
}
