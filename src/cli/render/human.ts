import { fail } from '../../model/errors.ts';
import type { PortMapping } from '../../model/network.ts';

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** Go's %.4g for numbers of 1 to 1024. */
const significant = (value: number, digits: number): string => String(Number(value.toPrecision(digits)));

function scale(bytes: number, base: number, units: readonly string[], digits: number): [string, string] {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return [significant(value, digits), units[unit] ?? ''];
}

/** Bytes as `ps --size` shows them: `4.405MB` (docker/go-units HumanSize). */
export const humanSize = (bytes: number): string => scale(bytes, 1000, DECIMAL, 4).join('');

/** Bytes as `images` shows them: `1.23 MB`. */
export const spacedSize = (bytes: number): string => scale(bytes, 1000, DECIMAL, 3).join(' ');

const MINUTE = 60;
const HOUR = 3600;

/** A duration in seconds in words, as docker/go-units HumanDuration: `About a minute`, `3 weeks`. */
export function humanDuration(duration: number): string {
  const seconds = Math.trunc(duration);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < MINUTE) return `${seconds} seconds`;
  const minutes = Math.trunc(duration / MINUTE);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(duration / HOUR + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(duration / HOUR / 24 / 365)} years`;
}

/** How long ago an ISO 8601 time was: `2 hours ago`. `now` in milliseconds since 1970. */
export const humanAgo = (time: string, now: number): string =>
  `${humanDuration((now - Date.parse(time)) / 1000)} ago`;

/** What `ps` shows of a container's state. Times are ISO 8601; `now` in milliseconds since 1970. */
export interface StatusParts {
  readonly status: 'created' | 'running' | 'paused' | 'exited';
  readonly exitCode: number;
  readonly startedAt?: string | undefined;
  readonly finishedAt?: string | undefined;
}

/** The STATUS column as podman words it: `Up 3 minutes`, `Paused`, `Exited (0) 5 seconds ago`. */
export function humanStatus({ status, exitCode, startedAt, finishedAt }: StatusParts, now: number): string {
  const since = (time: string | undefined): string =>
    humanDuration(time === undefined ? 0 : (now - Date.parse(time)) / 1000);
  switch (status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(startedAt)}`;
    case 'paused':
      return 'Paused';
    case 'exited':
      return `Exited (${exitCode}) ${since(finishedAt)} ago`;
  }
}

/** The COMMAND column: 17 characters and `...`, unless the whole is asked for. */
export function humanCommand(command: readonly string[], whole = false): string {
  const text = command.join(' ');
  return whole || text.length <= 17 ? text : `${text.slice(0, 17)}...`;
}

const portRange = (first: number, count: number): string =>
  count > 1 ? `${first}-${first + count - 1}` : String(first);

/** The PORTS column: `0.0.0.0:8080->80/tcp, 127.0.0.1:53-54->53-54/udp`. */
export const humanPorts = (ports: readonly PortMapping[]): string =>
  ports
    .map(({ hostIp, hostPort, containerPort, range, protocol }) => {
      const host = hostIp === '' ? '0.0.0.0' : hostIp;
      return `${host}:${portRange(hostPort, range)}->${portRange(containerPort, range)}/${protocol}`;
    })
    .join(', ');

/** Labels as `k=v,k=v`, sorted by key. */
export const humanLabels = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');

const MULTIPLIERS: Readonly<Record<string, number>> = {
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/**
 * Bytes from `64m`, `1.5g`, `512KiB`, `65536b` or a plain number; units are powers of 1024 (docker/go-units
 * RAMInBytes). Throws USAGE with its words.
 */
export function parseSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?([a-zA-Z]*)$/.exec(text);
  if (match === null) fail('USAGE', { message: `invalid size: '${text}'` });
  const [, number = '', unit = ''] = match;
  const suffix = unit.toLowerCase();
  const known = suffix === '' || suffix === 'b' || /^[kmgtp](?:b|ib)?$/.test(suffix);
  if (!known) fail('USAGE', { message: `invalid suffix: '${suffix}'` });
  const bytes = Math.trunc(Number(number) * (MULTIPLIERS[suffix.charAt(0)] ?? 1));
  if (!Number.isSafeInteger(bytes)) fail('USAGE', { message: `invalid size: '${text}': value out of range` });
  return bytes;
}

const SECONDS: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};
const DURATION = /^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:h|ms|m|s|us|µs|ns))+$/;

/** Seconds from Go's duration syntax (`1h30m`, `1.5s`, `200ms`, `0`). Throws USAGE. */
export function parseDuration(text: string): number {
  if (/^[+-]?0$/.test(text)) return 0;
  if (!DURATION.test(text)) {
    const reason = /^[+-]?[0-9.]+$/.test(text) ? 'missing unit in duration' : 'invalid duration';
    fail('USAGE', { message: `time: ${reason} ${JSON.stringify(text)}` });
  }
  const parts = [...text.matchAll(/([0-9.]+)([a-zµ]+)/g)];
  const seconds = parts.reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (SECONDS[unit] ?? 0),
    0,
  );
  return text.startsWith('-') ? -seconds : seconds;
}

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** Bytes as checkpointctl shows them: `76.0 KiB`, `512 B`. */
export function binarySize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BINARY.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BINARY[unit]}`;
}

/** Microseconds as checkpointctl shows them: `950 µs`, `12.345 ms`, `1.5 s`. */
export function humanMicroseconds(time: number): string {
  if (time < 1000) return `${time} µs`;
  return time < 1e6 ? `${significant(time / 1000, 5)} ms` : `${significant(time / 1e6, 5)} s`;
}
