import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import { failRun, type RunResult, run } from '../system/process.ts';
import type { Platform } from './platform.ts';
import { registryOf } from './reference.ts';
import { formatLocation, type Location } from './transport.ts';

/** How a registry is talked to. */
export interface RegistryAccess {
  /** False allows plain HTTP and certificates that nobody vouches for. */
  readonly tlsVerify?: boolean | undefined;
  /** USER[:PASSWORD] */
  readonly credentials?: string | undefined;
  /** Default: REGISTRY_AUTH_FILE, or what skopeo(1) names. */
  readonly authfile?: string | undefined;
  /** Certificates for the registry. */
  readonly certDirectory?: string | undefined;
  /** containers-policy.json(5); default: the host's, or none where it has none. */
  readonly signaturePolicy?: string | undefined;
}

export interface SkopeoOptions {
  readonly access?: RegistryAccess | undefined;
  readonly platform?: Platform | undefined;
  /** File descriptor that gets skopeo's own account of the transfer; default: nobody. */
  readonly output?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CopyRequest {
  readonly from: Location;
  readonly to: Location;
  /** Flags of `skopeo copy`. */
  readonly flags?: readonly string[] | undefined;
  /** File descriptors that locations name as /proc/self/fd/3 and on. */
  readonly extraFds?: readonly number[] | undefined;
  /** A private directory for skopeo's temporary files. */
  readonly scratch: string;
  /** Completes "could not …". */
  readonly doing: string;
}

/** Variables that say where credentials and certificates lie. */
const PASSED_ENVIRONMENT = [
  'REGISTRY_AUTH_FILE',
  'XDG_RUNTIME_DIR',
  'DOCKER_CONFIG',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** Runs `skopeo copy`. Fails with IMAGE_FAILED, NO_SPACE, INTERRUPTED or PROGRAM_MISSING. */
export async function skopeoCopy(request: CopyRequest, options: SkopeoOptions): Promise<void> {
  const { from, to, flags = [], scratch } = request;
  const registry = [
    ...(await registryFlags('src', from, scratch, options.access)),
    ...(await registryFlags('dest', to, scratch, options.access)),
  ];
  const result = await run(
    [
      'skopeo',
      ...globalFlags(options, scratch),
      'copy',
      ...registry,
      ...flags,
      '--',
      ...[from, to].map(formatLocation),
    ],
    {
      env: environment(),
      stdout: options.output ?? 'ignore',
      extraFds: request.extraFds,
      signal: options.signal,
    },
  );
  if (!result.ok) failCopy(result, request, options);
}

/** The bytes of the manifest or index that a name stands for on its registry; the image itself is not fetched. */
export async function skopeoRawManifest(
  from: Location,
  options: SkopeoOptions,
  scratch: string,
): Promise<string> {
  const flags = (await registryFlags('src', from, scratch, options.access)).map((flag) =>
    flag.replace('--src-', '--'),
  );
  const result = await run(
    ['skopeo', ...globalFlags(options, scratch), 'inspect', '--raw', ...flags, '--', formatLocation(from)],
    { env: environment(), maxOutput: 8 << 20, signal: options.signal },
  );
  if (result.ok) return result.stdout;
  return failCopy(result, { from, doing: `read the manifest of ${formatLocation(from)}` }, options);
}

function globalFlags(options: SkopeoOptions, scratch: string): string[] {
  const { platform } = options;
  return [
    `--tmpdir=${scratch}`,
    ...policyFlags(options.access?.signaturePolicy),
    ...(platform === undefined
      ? []
      : [`--override-os=${platform.os}`, `--override-arch=${platform.architecture}`]),
    ...(platform?.variant === undefined ? [] : [`--override-variant=${platform.variant}`]),
  ];
}

/** skopeo refuses to work without a policy; a host that has none trusts everyone, as its other engines do. */
function policyFlags(chosen: string | undefined): string[] {
  if (chosen !== undefined) return [`--policy=${chosen}`];
  const places = [
    '/etc/containers/policy.json',
    join(process.env.HOME ?? '/root', '.config/containers/policy.json'),
  ];
  return places.some((path) => existsSync(path)) ? [] : ['--insecure-policy'];
}

async function registryFlags(
  side: 'src' | 'dest',
  location: Location,
  scratch: string,
  access: RegistryAccess = {},
): Promise<string[]> {
  if (location.transport !== 'docker') return [];
  const { tlsVerify, credentials, certDirectory } = access;
  const authfile = credentials === undefined ? access.authfile : join(scratch, `auth-${side}.json`);
  if (credentials !== undefined && authfile !== undefined) {
    await writeCredentials(authfile, registryOf(location.name), credentials);
  }
  return [
    ...(tlsVerify === undefined ? [] : [`--${side}-tls-verify=${tlsVerify}`]),
    ...(authfile === undefined ? [] : [`--${side}-authfile=${authfile}`]),
    ...(certDirectory === undefined ? [] : [`--${side}-cert-dir=${certDirectory}`]),
  ];
}

/** In a file (containers-auth.json(5)), because every user of the host can read the arguments of a process. */
async function writeCredentials(path: string, registry: string, credentials: string): Promise<void> {
  const pair = credentials.includes(':') ? credentials : `${credentials}:`;
  const auth = Buffer.from(pair).toString('base64');
  await writeFile(path, JSON.stringify({ auths: { [registry]: { auth } } }), { mode: 0o600 });
}

function environment(): Record<string, string> {
  const pairs = PASSED_ENVIRONMENT.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** What to do about the errors that people meet; the texts are those of containers/image 5.x and of Go's net package. */
const HINTS: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  {
    pattern: /server gave HTTP response to HTTPS client|x509:|tls:|certificate/,
    hint: 'If the registry is meant to be used without TLS or with its own certificate, add --tls-verify=false.',
  },
  {
    pattern: /unauthorized|authentication required|access .*denied|denied:|invalid username\/password/,
    hint: 'Check the name, and give credentials with --creds USER:PASSWORD or --authfile.',
  },
  {
    pattern: /manifest unknown|name unknown|not found|404/,
    hint: 'The registry answers, but does not have this image: check the name and the tag.',
  },
  {
    pattern:
      /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|server misbehaving|connection reset|timed out|EOF/,
    hint: 'The registry cannot be reached: check its name, the network, and HTTPS_PROXY where a proxy is needed.',
  },
  {
    pattern: /no image found in (?:manifest list|image index) for architecture/,
    hint: 'Choose one of the platforms that the image has with --platform.',
  },
];

function failCopy(
  result: RunResult,
  request: Pick<CopyRequest, 'from' | 'doing'>,
  options: SkopeoOptions,
): never {
  if (result.missing) return failRun(result, request.doing);
  if (options.signal?.aborted === true) fail('INTERRUPTED', { message: `interrupted: ${request.doing}` });
  const reason = decisiveText(result.stderr);
  const code = /no space left on device/.test(reason) ? 'NO_SPACE' : 'IMAGE_FAILED';
  const hint = HINTS.find(({ pattern }) => pattern.test(reason))?.hint;
  return fail(code, { message: `could not ${request.doing}: ${reason}`, hint });
}

/** The message of skopeo's last fatal line (logrus text format), or its last lines. */
export function decisiveText(stderr: string): string {
  const quoted = [...stderr.matchAll(/level=fatal msg="((?:[^"\\]|\\.)*)"/g)].at(-1)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\n/g, ' ').replace(/\\(.)/g, '$1').trim();
  return stderr.trim().split('\n').slice(-3).join('; ') || 'skopeo gave no reason';
}
