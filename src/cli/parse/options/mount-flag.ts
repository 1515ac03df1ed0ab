import { posix } from 'node:path';
import type { ContainerMount } from '../../../model/container.ts';
import { splitCsv } from '../flag-value.ts';
import { checkTmpfsOptions, checkVolumeOptions } from './mount-options.ts';
import { cut, quoted, refuse } from './usage.ts';

type MountType = ContainerMount['type'];

const NEEDS_ARGUMENT = 'must provide an argument for option';
const BAD_OPTION = 'invalid mount option';

interface Draft {
  readonly type: MountType;
  source: string;
  destination: string;
  readonly options: string[];
  /** Groups of options that are given already. */
  readonly seen: Set<string>;
}

/** An absolute path in the container, cleaned. Throws USAGE. */
export function containerPath(text: string): string {
  if (text === '') refuse('container directory cannot be empty');
  if (!text.startsWith('/')) refuse(`invalid container path ${quoted(text)}, must be an absolute path`);
  const clean = posix.normalize(text);
  return clean.length > 1 ? clean.replace(/\/$/, '') : clean;
}

const needed = (name: string, value: string | undefined): string =>
  value ?? refuse(`${name}: ${NEEDS_ARGUMENT}`);

function once(draft: Draft, group: string, names: string): void {
  if (draft.seen.has(group)) refuse(`cannot pass ${names} more than once: ${NEEDS_ARGUMENT}`);
  draft.seen.add(group);
}

function onlyFor(draft: Draft, name: string, type: MountType): void {
  if (draft.type !== type)
    refuse(`${quoted(name)} option not supported for ${quoted(draft.type)} mount types`);
}

type Handler = (draft: Draft, name: string, value: string | undefined) => void;

const readOnly: Handler = (draft, name, value) => {
  once(draft, 'rw', "'readonly', 'ro', or 'rw' options");
  const isWrite = name === 'rw';
  const isOn = (value ?? 'true').toLowerCase() !== 'false';
  if (isOn) draft.options.push(isWrite ? 'rw' : 'ro');
  else if (isWrite) draft.options.push('ro');
};

const source: Handler = (draft, name, value) => {
  if (draft.type === 'tmpfs') refuse(`${quoted(name)} option not supported for "tmpfs" mount types`);
  once(draft, 'source', `${quoted(name)} option`);
  draft.source = needed(name, value);
  if (draft.source === '') refuse(`host directory cannot be empty: ${NEEDS_ARGUMENT}`);
};

const destination: Handler = (draft, name, value) => {
  once(draft, 'destination', `${quoted(name)} option`);
  draft.destination = containerPath(needed(name, value));
};

const chown: Handler = (draft, _name, value = 'true') => {
  once(draft, 'chown', "'U' or 'chown' option");
  if (!/^(?:true|false|)$/i.test(value)) {
    refuse(
      `'U' or 'chown' must be set to true or false, instead received ${quoted(value)}: ${NEEDS_ARGUMENT}`,
    );
  }
  if (value.toLowerCase() !== 'false') draft.options.push('U');
};

const relabel: Handler = (draft, name, value) => {
  once(draft, 'relabel', "'relabel' option");
  if (value !== 'private' && value !== 'shared') {
    refuse(`${name} mount option must be 'private' or 'shared': ${BAD_OPTION}`);
  }
  draft.options.push(value === 'private' ? 'Z' : 'z');
};

const propagation: Handler = (draft, name, value) => {
  onlyFor(draft, name, 'bind');
  const mode = needed(name, value);
  if (!/^r?(?:shared|private|slave|unbindable)$/.test(mode))
    refuse(`invalid value ${quoted(`${name}=${mode}`)}`);
  draft.options.push(mode);
};

const tmpfsValue =
  (option: string): Handler =>
  (draft, name, value) => {
    onlyFor(draft, name, 'tmpfs');
    draft.options.push(`${option}=${needed(name, value)}`);
  };

const verbatim: Handler = (draft, name) => {
  draft.options.push(name);
};

/** `nodev` and `dev`: one of them, once. */
const toggle =
  (group: string): Handler =>
  (draft, name) => {
    once(draft, group, `'no${group}' and '${group}' options`);
    draft.options.push(name);
  };

const HANDLERS: Readonly<Record<string, Handler>> = {
  'bind-nonrecursive': (draft, name) => {
    onlyFor(draft, name, 'bind');
    draft.options.push('bind');
  },
  'bind-propagation': propagation,
  consistency: () => undefined,
  readonly: readOnly,
  ro: readOnly,
  rw: readOnly,
  nodev: toggle('dev'),
  dev: toggle('dev'),
  noexec: toggle('exec'),
  exec: toggle('exec'),
  nosuid: toggle('suid'),
  suid: toggle('suid'),
  relabel,
  src: source,
  source,
  target: destination,
  dst: destination,
  dest: destination,
  destination,
  U: chown,
  chown,
  'tmpfs-mode': tmpfsValue('mode'),
  'tmpfs-size': tmpfsValue('size'),
  tmpcopyup: (draft, name) => {
    onlyFor(draft, name, 'tmpfs');
    draft.options.push(name);
  },
  notmpcopyup: (draft, name) => {
    onlyFor(draft, name, 'tmpfs');
    draft.options.push(name);
  },
};

const VERBATIM = /^(?:r?(?:shared|private|slave|unbindable)|Z|z)$/;

function readType(words: readonly string[]): { type: MountType; rest: string[] } {
  const at = words.findIndex((word) => word.startsWith('type='));
  const type = at === -1 ? 'volume' : (words[at]?.slice('type='.length) ?? '');
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs') {
    return refuse(`invalid filesystem type ${quoted(type)}`, 'cryopod mounts bind, volume and tmpfs');
  }
  return { type, rest: words.filter((_, index) => index !== at) };
}

/** One value of --mount: `type=bind,src=/a,dst=/b,ro`. Sources of bind mounts stay as typed. Throws USAGE. */
export function parseMountFlag(text: string): ContainerMount {
  const words = splitCsv(text);
  if (!Array.isArray(words)) return refuse(words.error);
  if (words.length === 0) {
    refuse(
      'incorrect mount format: should be --mount type=<bind|tmpfs|volume>,[src=<host-dir|volume-name>,]target=<ctr-dir>[,options]',
    );
  }
  const { type, rest } = readType(words);
  const draft: Draft = { type, source: '', destination: '', options: [], seen: new Set() };
  for (const word of rest) {
    const [name, value] = cut(word, '=');
    const handler = VERBATIM.test(name)
      ? verbatim
      : Object.hasOwn(HANDLERS, name)
        ? HANDLERS[name]
        : undefined;
    if (handler === undefined) refuse(`${name}: ${BAD_OPTION}`);
    else handler(draft, name, value);
  }
  if (draft.destination === '') refuse('must set volume destination');
  const check = type === 'tmpfs' ? checkTmpfsOptions : checkVolumeOptions;
  const mountSource = type === 'bind' && draft.source === '' ? draft.destination : draft.source;
  return { type, source: mountSource, destination: draft.destination, options: check(draft.options) };
}
