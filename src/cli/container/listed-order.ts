import type { ListedContainer } from '../../engine/list.ts';
import { fail } from '../../model/errors.ts';

type Key = (container: ListedContainer) => string | number;

/** What `ps --sort` compares, smallest first (podman's entities/container_ps.go). */
const KEYS = {
  command: ({ config }) => config.command.join(' '),
  created: ({ config }) => Date.parse(config.created),
  id: ({ config }) => config.id,
  image: ({ config }) => config.imageName,
  names: ({ config }) => config.name,
  runningfor: ({ state }) => (state.startedAt === undefined ? 0 : Date.parse(state.startedAt)),
  size: ({ size }) => size?.rootFs ?? 0,
  status: ({ state }) => state.status,
} as const satisfies Record<string, Key>;

export type ListedOrder = keyof typeof KEYS;

const isOrder = (text: string): text is ListedOrder => Object.hasOwn(KEYS, text);

/** Value of --sort. Throws USAGE. */
export function parseOrder(text: string): ListedOrder {
  if (isOrder(text)) return text;
  return fail('USAGE', {
    message: `invalid argument "${text}" for "--sort" flag: "${text}" is not a valid value.  Choose from: "${Object.keys(KEYS).join(', ')}"`,
    hint: "See 'cryopod ps --help'",
  });
}

/** Equal ones keep their order. */
export function sortListed(containers: readonly ListedContainer[], order: ListedOrder): ListedContainer[] {
  const key: Key = KEYS[order];
  return containers.toSorted((a, b) => {
    const [left, right] = [key(a), key(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}
