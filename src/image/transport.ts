import { isAbsolute, resolve } from 'node:path';
import { fail } from '../model/errors.ts';

/** Where an image comes from or goes to (containers-transports(5)). */
export type Location =
  | { readonly transport: 'docker'; readonly name: string }
  | {
      readonly transport: 'docker-archive' | 'oci-archive' | 'oci' | 'dir';
      /** Absolute. */
      readonly path: string;
      /** Name within the archive or layout. */
      readonly name: string | undefined;
    };

const REFUSED: Readonly<Record<string, string>> = {
  'containers-storage': "the store of podman and its kin is not cryopod's: use podman save and cryopod load",
  'docker-daemon': 'there is no Docker daemon in between: use docker save and cryopod load',
  ostree: 'OSTree repositories are not supported',
  sif: 'SIF images are not supported',
  tarball: 'use cryopod import for root file system archives',
};

/**
 * Reads `docker://NAME`, `docker-archive:PATH[:NAME]`, `oci-archive:PATH[:NAME]`, `oci:PATH[:NAME]` and `dir:PATH`; all
 * else is the name of an image on a registry. Fails with USAGE for transports that cannot be used.
 */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(':');
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  const refused = REFUSED[transport];
  if (refused !== undefined) {
    return fail('USAGE', { message: `the transport ${transport} cannot be used here: ${refused}` });
  }
  switch (transport) {
    case 'docker':
      if (rest.startsWith('//')) return { transport, name: rest.slice(2) };
      return { transport: 'docker', name: text };
    case 'dir':
      return { transport, path: absolute(rest, text), name: undefined };
    case 'docker-archive':
    case 'oci-archive':
    case 'oci': {
      const end = rest.indexOf(':');
      const path = absolute(end < 0 ? rest : rest.slice(0, end), text);
      return { transport, path, name: end < 0 ? undefined : rest.slice(end + 1) };
    }
    default:
      return { transport: 'docker', name: text };
  }
}

function absolute(path: string, text: string): string {
  if (path === '') fail('USAGE', { message: `invalid image location "${text}": the path is missing` });
  return isAbsolute(path) ? path : resolve(path);
}

/** The location in skopeo's notation. */
export function formatLocation(location: Location): string {
  if (location.transport === 'docker') return `docker://${location.name}`;
  const name = location.name === undefined ? '' : `:${location.name}`;
  return `${location.transport}:${location.path}${name}`;
}
