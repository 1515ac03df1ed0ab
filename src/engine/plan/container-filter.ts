import type { Container, ContainerState } from '../../model/container.ts';
import { fail } from '../../model/errors.ts';
import { type Filters, matchLabels, matchNoLabels, matchPattern } from '../../model/filters.ts';
import { parseTimePoint } from '../../model/time-point.ts';

/** What the values of filters may refer to. */
export interface FilterFacts {
  /** Errors: NO_SUCH_CONTAINER, AMBIGUOUS_ID. */
  readonly findContainer: (nameOrId: string) => Container;
  /** Names of networks by what a filter calls them: a name, an ID or its beginning. Those that do not exist are missing. */
  readonly networks: ReadonlyMap<string, string>;
}

type Test = (container: Container) => boolean;
type MakeTest = (values: readonly string[], facts: FilterFacts) => Test;

/** All states that podman knows (libpod/define/containerstate.go); cryopod's containers are only ever in some of them. */
const STATES = [
  'unknown',
  'created',
  'initialized',
  'running',
  'stopped',
  'paused',
  'exited',
  'removing',
  'stopping',
] as const;

const createdAt = ({ config }: Container): number => Date.parse(config.created);

/** Filters of podman-ps(1), without those of pods, health checks and restart policies. */
const TESTS: Readonly<Record<string, MakeTest>> = {
  ancestor: (values) => (container) => values.some((value) => descendsFrom(container, value)),
  before: (values, facts) => {
    const limit = earliest(values, facts);
    return (container) => createdAt(container) < limit;
  },
  command:
    (values) =>
    ({ config }) =>
      matchPattern(config.command[0] ?? '', values),
  exited: (values) => {
    const codes = values.map(exitCode);
    return ({ state }) => state.status === 'exited' && codes.includes(state.exitCode);
  },
  id:
    (values) =>
    ({ config }) =>
      values.some((value) => matchesId(config.id, value)),
  label:
    (values) =>
    ({ config }) =>
      matchLabels(config.labels, values),
  'label!':
    (values) =>
    ({ config }) =>
      matchNoLabels(config.labels, values),
  name:
    (values) =>
    ({ config }) =>
      matchPattern(
        config.name,
        values.map((value) => value.replaceAll('/', '')),
      ),
  network: (values, facts) => (container) => values.some((value) => isOnNetwork(container, value, facts)),
  since: (values, facts) => {
    const limit = earliest(values, facts);
    return (container) => createdAt(container) > limit;
  },
  status: (values) => {
    const states = values.map(checkState);
    return ({ state }) => states.includes(state.status);
  },
  until: (values) => {
    const [value, ...more] = values;
    if (value === undefined || more.length > 0)
      fail('USAGE', { message: 'specify exactly one timestamp for until' });
    const limit = parseTimePoint(value);
    return (container) => createdAt(container) < limit;
  },
  volume:
    (values) =>
    ({ config }) =>
      values.some((value) => config.mounts.some((mount) => matchesMount(mount, value))),
};

/**
 * The test that `--filter` asks for: all keys must agree, and for each key any of its values (for labels all of them).
 * Pure. Errors: USAGE for an unknown key or a bad value, those of `facts`.
 */
export function containerFilter(filters: Filters, facts: FilterFacts): Test {
  const tests = [...filters].map(([key, values]) => {
    const make = Object.hasOwn(TESTS, key) ? TESTS[key] : undefined;
    return make?.(values, facts) ?? fail('USAGE', { message: `${key} is an invalid filter` });
  });
  return (container) => tests.every((test) => test(container));
}

function checkState(text: string): ContainerState['status'] | 'other' {
  if (!(STATES as readonly string[]).includes(text)) {
    fail('USAGE', { message: `unknown container state: ${text}: invalid argument` });
  }
  if (text === 'stopped') return 'exited';
  return text === 'created' || text === 'running' || text === 'paused' || text === 'exited' ? text : 'other';
}

function exitCode(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  return fail('USAGE', {
    message: `exited code out of range "${text}": strconv.ParseInt: parsing "${text}": invalid syntax`,
  });
}

/** The time at which the first of the named containers was made. */
const earliest = (names: readonly string[], { findContainer }: FilterFacts): number =>
  Math.min(...names.map((name) => createdAt(findContainer(name))));

/** The beginning of an ID, or where it cannot be one, a regular expression. */
const matchesId = (id: string, value: string): boolean =>
  /^[0-9a-f]+$/i.test(value) ? id.startsWith(value.toLowerCase()) : matchPattern(id, [value]);

/** Part of the image's ID, a pattern in its name, or in its name without the tag `latest`. */
function descendsFrom({ config }: Container, value: string): boolean {
  const untagged = config.imageName.replace(/:latest$/, '');
  return (
    [config.imageName, untagged].some((name) => matchPattern(name, [value])) || config.imageId.includes(value)
  );
}

function isOnNetwork({ config }: Container, value: string, facts: FilterFacts): boolean {
  const { mode, target, networks } = config.network;
  if (mode === 'container') {
    const name = /^container:(.+)$/.exec(value)?.[1];
    return name !== undefined && facts.findContainer(name).config.id === target;
  }
  const wanted = facts.networks.get(value);
  return networks.some(({ name }) => name === wanted);
}

/** A volume's name, a destination, or `SOURCE:/DESTINATION`. */
function matchesMount(
  { type, source, destination }: Container['config']['mounts'][number],
  value: string,
): boolean {
  const at = value.indexOf(':');
  if (at >= 0) return source === value.slice(0, at) && destination === value.slice(at + 1);
  return destination === value || (type === 'volume' && source === value);
}
