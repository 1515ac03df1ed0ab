import type { ResourceLimits, Ulimit } from '../../../model/container.ts';
import { parseSize } from '../../render/human.ts';
import { cut, inContext, quoted, refuse } from './usage.ts';

/** setrlimit(2), without those that containers do not use. */
const ULIMITS = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  ),
);

function limit(text: string): number {
  if (text === 'unlimited') return -1;
  const value = Number(text);
  if (!/^[+-]?[0-9]+$/.test(text)) refuse(`strconv.ParseInt: parsing ${quoted(text)}: invalid syntax`);
  if (!Number.isSafeInteger(value)) refuse(`strconv.ParseInt: parsing ${quoted(text)}: value out of range`);
  return value < 0 ? -1 : value;
}

function readUlimit(text: string): Ulimit {
  const [name, values] = cut(text, '=');
  if (values === undefined) return refuse(`invalid ulimit argument: ${text}`);
  if (!ULIMITS.has(name)) refuse(`invalid ulimit type: ${name}`);
  const [softText = '', hardText, ...more] = values.split(':');
  if (more.length > 0) {
    refuse(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``);
  }
  const soft = limit(softText);
  const hard = hardText === undefined ? soft : limit(hardText);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    const shown = soft === -1 ? `soft: -1 (unlimited), hard: ${hard}` : `${soft} > ${hard}`;
    refuse(`ulimit soft limit must be less than or equal to hard limit: ${shown}`);
  }
  return { name, soft, hard };
}

/** All values of --ulimit: `nofile=1024:2048`; `host` keeps the limits of the caller. Throws USAGE. */
export function parseUlimits(values: readonly string[]): Ulimit[] {
  if (values.includes('host')) return [];
  return values.map((value) => {
    const text = value.toLowerCase().replace(/^rlimit_/, '');
    return inContext(`ulimit option ${quoted(text)} requires name=SOFT:HARD, failed to be parsed`, () =>
      readUlimit(text),
    );
  });
}

/** A list of CPUs such as `0-2,5`. Throws USAGE. */
export function parseCpuset(text: string): string {
  for (const part of text.split(',')) {
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part);
    if (match === null || Number(match[2] ?? match[1]) < Number(match[1])) {
      refuse(`invalid value for cpuset-cpus: ${quoted(text)} is not a list of CPUs such as 0-2,5`);
    }
  }
  return text;
}

export interface ResourceFlags {
  readonly memory?: string | undefined;
  readonly memorySwap?: string | undefined;
  readonly cpus?: number | undefined;
  readonly cpusetCpus?: string | undefined;
  readonly pidsLimit?: number | undefined;
  readonly ulimit: readonly string[];
}

const memorySize = (text: string): number => inContext('invalid value for memory', () => parseSize(text));

const isGiven = (text: string | undefined): text is string => text !== undefined && text !== '';

function parseMemory(flags: ResourceFlags): Pick<ResourceLimits, 'memory' | 'memorySwap'> {
  const memory = isGiven(flags.memory) ? memorySize(flags.memory) : 0;
  if (!isGiven(flags.memorySwap)) return memory > 0 ? { memory, memorySwap: memory * 2 } : {};
  const memorySwap = flags.memorySwap === '-1' ? -1 : memorySize(flags.memorySwap);
  if (memory === 0 && memorySwap > 0) {
    refuse('you should always set the memory limit when using the memory swap limit', 'Add --memory');
  }
  if (memorySwap > 0 && memorySwap < memory) {
    refuse('minimum memoryswap limit should be larger than memory limit, see usage');
  }
  return memory > 0 ? { memory, memorySwap: memorySwap === 0 ? memory * 2 : memorySwap } : {};
}

/** All limits of a command line. Without --memory-swap it is twice --memory, as in podman. Throws USAGE. */
export function parseResources(flags: ResourceFlags): ResourceLimits {
  const { cpus, pidsLimit } = flags;
  if (cpus !== undefined && !(cpus >= 0 && Number.isFinite(cpus))) {
    refuse(`invalid value for cpus: ${cpus}: it must be a number of CPUs such as 1.5`);
  }
  return {
    ...parseMemory(flags),
    ...(cpus === undefined || cpus === 0 ? {} : { cpus }),
    ...(isGiven(flags.cpusetCpus) ? { cpusetCpus: parseCpuset(flags.cpusetCpus) } : {}),
    ...(pidsLimit === undefined ? {} : { pids: pidsLimit <= 0 ? -1 : pidsLimit }),
    ulimits: parseUlimits(flags.ulimit),
  };
}

/** --shm-size in bytes. Throws USAGE. */
export const parseShmSize = (text: string): number =>
  inContext('unable to translate --shm-size', () => parseSize(text));

export interface LogChoice {
  readonly driver: 'k8s-file' | 'none';
  readonly path?: string | undefined;
  /** Bytes. */
  readonly sizeMax?: number | undefined;
}

const MULTIPLIERS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** A size in powers of 1000 (docker/go-units FromHumanSize), as max-size is meant. */
function decimalSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)(?:b|ib)?$/i.exec(text);
  if (match === null) return refuse(`invalid size: '${text}'`);
  return Math.trunc(Number(match[1]) * (MULTIPLIERS[match[2]?.toLowerCase() ?? ''] ?? 1));
}

/** --log-driver and --log-opt: driver, path and max-size; `tag` and `label` are accepted and not used. Throws USAGE. */
export function parseLog(driver: string | undefined, options: readonly string[]): LogChoice {
  let name = driver;
  let path: string | undefined;
  let sizeMax: number | undefined;
  for (const option of options) {
    const [key, value] = cut(option, '=');
    if (value === undefined) return refuse(`invalid log option ${quoted(option)}`);
    const word = key.toLowerCase();
    if (word === 'driver') name = value;
    else if (word === 'path') path = value;
    else if (word === 'max-size') sizeMax = decimalSize(value);
    else if (word !== 'tag' && word !== 'label') refuse(`invalid log option ${quoted(option)}`);
  }
  const known = name === undefined || name === '' || name === 'json-file' ? 'k8s-file' : name;
  if (known !== 'k8s-file' && known !== 'none') {
    return refuse(`log driver ${quoted(known)} is not supported`, 'Choose k8s-file or none');
  }
  return { driver: known, path, sizeMax };
}
