import { posix } from 'node:path';
import { fail, isCryopodError } from '../model/errors.ts';
import type { ImageConfig } from '../model/image.ts';
import { parseSignal } from '../model/signals.ts';

/** What containers of an image get unless they say otherwise. ONBUILD is Docker's addition to the OCI fields. */
export type ContainerDefaults = NonNullable<ImageConfig['config']> & { readonly OnBuild?: readonly string[] };

type Change = (defaults: ContainerDefaults, value: string) => ContainerDefaults;

const CHANGES: Readonly<Record<string, Change>> = {
  CMD: (defaults, value) => ({ ...defaults, Cmd: command(value) }),
  ENTRYPOINT: (defaults, value) => ({ ...defaults, Entrypoint: command(value) }),
  ENV: (defaults, value) => ({ ...defaults, Env: mergeEnv(defaults.Env ?? [], pairs(value)) }),
  EXPOSE: (defaults, value) => ({
    ...defaults,
    ExposedPorts: { ...defaults.ExposedPorts, ...keys(words(value).flatMap(ports)) },
  }),
  LABEL: (defaults, value) => ({
    ...defaults,
    Labels: { ...defaults.Labels, ...Object.fromEntries(pairs(value)) },
  }),
  ONBUILD: (defaults, value) => ({ ...defaults, OnBuild: [...(defaults.OnBuild ?? []), value] }),
  STOPSIGNAL: (defaults, value) => {
    parseSignal(value);
    return { ...defaults, StopSignal: value };
  },
  USER: (defaults, value) => ({ ...defaults, User: value }),
  VOLUME: (defaults, value) => ({
    ...defaults,
    Volumes: { ...defaults.Volumes, ...keys(jsonStrings(value) ?? words(value)) },
  }),
  WORKDIR: (defaults, value) => ({
    ...defaults,
    WorkingDir: posix.resolve('/', defaults.WorkingDir ?? '', value),
  }),
};

/**
 * Applies Dockerfile instructions such as `CMD ["redis-server"]` or `ENV A=1`, in order. `CMD=…` is understood as well.
 * Fails with USAGE, naming the instruction.
 */
export function applyChanges(defaults: ContainerDefaults, changes: readonly string[]): ContainerDefaults {
  return changes.reduce((current, change) => {
    const [, name = '', value = ''] = /^\s*([A-Za-z]+)(?:\s+|=)(.*?)\s*$/s.exec(change) ?? [];
    if (value === '') return invalid(change, 'must be formatted as KEY VALUE');
    const apply = CHANGES[name.toUpperCase()];
    if (apply === undefined) return invalid(change, `invalid instruction ${name.toUpperCase()}`);
    try {
      return apply(current, value);
    } catch (error) {
      if (isCryopodError(error, 'USAGE')) return invalid(change, error.message);
      throw error;
    }
  }, defaults);
}

const invalid = (change: string, why: string): never =>
  fail('USAGE', { message: `invalid change "${change}" - ${why}` });

/** The exec form is a JSON array of strings; all else is the shell form. */
const command = (value: string): string[] => jsonStrings(value) ?? ['/bin/sh', '-c', value];

function jsonStrings(value: string): string[] | undefined {
  if (!value.startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) && parsed.every((item) => typeof item === 'string') ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const keys = (names: readonly string[]): Record<string, Record<string, never>> =>
  Object.fromEntries(names.map((name) => [name, {}]));

/** A new value takes the place of the old one of the same name. */
function mergeEnv(env: readonly string[], added: readonly (readonly [string, string])[]): string[] {
  const values = new Map(env.map((entry) => split(entry)));
  for (const [name, value] of added) values.set(name, value);
  return [...values].map(([name, value]) => `${name}=${value}`);
}

/** `A=1 B="two words"`, or the old form `A all the rest`. */
function pairs(value: string): [string, string][] {
  const all = words(value);
  if (all[0]?.includes('=') !== true) {
    const [, name = '', rest] = /^(\S+)\s+(.*)$/s.exec(value) ?? [];
    return rest === undefined ? fail('USAGE', { message: 'must be formatted key=value' }) : [[name, rest]];
  }
  return all.map((word) => {
    const pair = split(word);
    return word.includes('=') && pair[0] !== ''
      ? pair
      : fail('USAGE', { message: 'must be formatted key=value' });
  });
}

function split(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Splits at blanks; quotes and backslashes keep blanks together, as in a Dockerfile. */
function words(value: string): string[] {
  const word = /(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs;
  if (value.replace(word, '').trim() !== '') fail('USAGE', { message: 'a quote is not closed' });
  return (value.match(word) ?? []).map(unquote);
}

const unquote = (word: string): string =>
  word.replace(
    /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
    (_, escaped: string | undefined, double: string | undefined, single: string | undefined) =>
      escaped ?? single ?? (double ?? '').replace(/\\(["\\$])/g, '$1'),
  );

/** `80`, `80/udp`, `8000-8002/tcp` */
function ports(text: string): string[] {
  const [, first = '', last = first, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last);
  if (first === '' || from < 1 || to > 65535 || to < from) {
    fail('USAGE', { message: `"${text}" is not a port, such as 80, 53/udp or 8000-8010/tcp` });
  }
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}/${protocol}`);
}
