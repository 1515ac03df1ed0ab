import { fail } from '../model/errors.ts';
import type { Descriptor, ManifestIndex } from './schema.ts';

/** In the words of Go, as manifests use them: linux, amd64, v8. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** What this machine runs. */
export const hostPlatform = (): Platform => ({
  os: 'linux',
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
});

/** Reads OS/ARCH[/VARIANT] as in --platform, or ARCH alone. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    fail('USAGE', { message: `invalid platform "${text}": expected OS/ARCH[/VARIANT]` });
  }
  const [first = '', architecture, variant] = parts;
  if (architecture === undefined) return { os: 'linux', architecture: first };
  return { os: first, architecture, variant };
}

/** The image for a platform in an index; a variant counts only where one is asked for. Fails with IMAGE_FAILED. */
export function choosePlatform(index: ManifestIndex, wanted: Platform, what: string): Descriptor {
  const match = index.manifests.find(
    ({ platform }) =>
      platform?.os === wanted.os &&
      platform.architecture === wanted.architecture &&
      (wanted.variant === undefined || platform.variant === wanted.variant),
  );
  if (match !== undefined) return match;
  // Layouts with one image often leave its platform out.
  const [only] = index.manifests;
  if (index.manifests.length === 1 && only?.platform === undefined && only !== undefined) return only;
  const variant = wanted.variant === undefined ? '' : `/${wanted.variant}`;
  const offered = index.manifests.flatMap(({ platform }) =>
    platform === undefined ? [] : `${platform.os}/${platform.architecture}`,
  );
  return fail('IMAGE_FAILED', {
    message: `${what} has no image for ${wanted.os}/${wanted.architecture}${variant}`,
    hint:
      offered.length === 0 ? undefined : `It has images for ${offered.join(', ')}: choose with --platform.`,
  });
}
