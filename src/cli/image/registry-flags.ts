import type { PullOptions } from '../../engine/image/pull.ts';
import { type Platform, parsePlatform } from '../../image/platform.ts';
import { fail } from '../../model/errors.ts';
import { defineFlags, type ParsedFlags } from '../parse/flags.ts';

/** Options of commands that talk to a registry. */
export const REGISTRY_FLAGS = defineFlags({
  authfile: { type: 'string', value: 'FILE', help: 'Credentials (containers-auth.json)' },
  certDir: { type: 'string', value: 'DIR', help: 'Certificates for the registry' },
  creds: { type: 'string', value: 'USER[:PASSWORD]', help: 'Credentials for the registry' },
  quiet: { short: 'q', type: 'bool', help: 'Say nothing while working' },
  signaturePolicy: { type: 'string', value: 'FILE', hidden: true },
  tlsVerify: { type: 'bool', default: true, help: 'Insist on HTTPS and valid certificates' },
});

type RegistryFlags = ParsedFlags<typeof REGISTRY_FLAGS>;

const STDERR = 2;

/** How the flags want the registry to be talked to, and where the account of it goes. */
export const registryAccess = (flags: RegistryFlags): Pick<PullOptions, 'access' | 'output'> => ({
  access: {
    authfile: flags.authfile,
    certDirectory: flags.certDir,
    credentials: flags.creds,
    signaturePolicy: flags.signaturePolicy,
    // Only a choice of the user overrides what the host's registries.conf says.
    tlsVerify: flags.isSet('tlsVerify') ? flags.tlsVerify : undefined,
  },
  output: flags.quiet ? undefined : STDERR,
});

/** Options that choose among the images of a multi-platform name. */
export const PLATFORM_FLAGS = defineFlags({
  arch: { type: 'string', value: 'ARCH', help: 'Architecture instead of this one' },
  os: { type: 'string', value: 'OS', help: 'Operating system instead of linux' },
  platform: { type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Platform instead of this one' },
  variant: { type: 'string', value: 'VARIANT', help: 'Variant of the architecture' },
});

interface PlatformChoice {
  readonly arch: string | undefined;
  readonly os: string | undefined;
  readonly variant: string | undefined;
  readonly platform?: string | undefined;
}

/** The platform that the flags ask for, or undefined. Errors: USAGE. */
export function chosenPlatform(
  { arch, os, platform, variant }: PlatformChoice,
  host: Platform,
): Platform | undefined {
  if (platform !== undefined) {
    if (arch !== undefined || os !== undefined) {
      fail('USAGE', { message: '--platform option can not be specified with --arch or --os' });
    }
    return parsePlatform(platform);
  }
  if (arch === undefined && os === undefined && variant === undefined) return undefined;
  return { os: os ?? host.os, architecture: arch ?? host.architecture, variant };
}
