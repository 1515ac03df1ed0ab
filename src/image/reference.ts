import { fail } from '../model/errors.ts';

/** The parts of an image name, as in the grammar of the distribution project's `reference` package. */
export interface Reference {
  /** Registry host, with its port if any; undefined for a short name. */
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string | undefined;
  /** With its algorithm: `sha256:…`. */
  readonly digest: string | undefined;
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const HOST_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const REGISTRY = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Limit of the repository's name in the distribution project's grammar. */
const MAX_NAME_LENGTH = 255;

const DOCKER_HUB = 'docker.io';
const LOCAL_REGISTRY = 'localhost';

/** Splits a name into its parts without adding any. Fails with USAGE where the name breaks the grammar. */
export function parseReference(name: string): Reference {
  const at = name.indexOf('@');
  const digest = at < 0 ? undefined : name.slice(at + 1);
  const named = at < 0 ? name : name.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const registry = isRegistry(first) ? first : undefined;
  const repository = registry === undefined ? path : path.slice(slash + 1);
  const bad = (why: string): never => fail('USAGE', { message: `invalid image name "${name}": ${why}` });
  if (repository !== repository.toLowerCase()) return bad('repository name must be lowercase');
  if (path.length > MAX_NAME_LENGTH) return bad(`more than ${MAX_NAME_LENGTH} characters`);
  if (registry !== undefined && !REGISTRY.test(registry)) return bad('invalid registry');
  if (!REPOSITORY.test(repository)) return bad('invalid reference format');
  if (tag !== undefined && !TAG.test(tag)) return bad('invalid tag');
  if (digest !== undefined && !DIGEST.test(digest)) return bad('invalid digest');
  return { registry, repository, tag, digest };
}

/** A first component names a registry when it could not be a directory: it has a dot, a port, or is localhost. */
const isRegistry = (component: string): boolean =>
  component.includes('.') ||
  component.includes(':') ||
  component === LOCAL_REGISTRY ||
  component !== component.toLowerCase();

/** Writes the parts as one name; a tag beside a digest is left out, since the digest decides. */
export function formatReference(reference: Reference): string {
  const registry = reference.registry === undefined ? '' : `${reference.registry}/`;
  const repository = `${registry}${reference.repository}`;
  if (reference.digest !== undefined) return `${repository}@${reference.digest}`;
  return reference.tag === undefined ? repository : `${repository}:${reference.tag}`;
}

const withDefaultTag = (reference: Reference): Reference =>
  reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;

/** docker.io/redis means docker.io/library/redis. */
function expandDockerHub(reference: Reference): Reference {
  const registry = reference.registry === 'index.docker.io' ? DOCKER_HUB : reference.registry;
  const official = registry === DOCKER_HUB && !reference.repository.includes('/');
  return {
    ...reference,
    registry,
    repository: official ? `library/${reference.repository}` : reference.repository,
  };
}

const onRegistry = (reference: Reference, registry: string): string =>
  formatReference(expandDockerHub({ ...reference, registry }));

/** The full name of something made here (tag, import, build): short names get localhost, names without tag `latest`. */
export function normalizeName(name: string): string {
  const reference = withDefaultTag(parseReference(name));
  return onRegistry(reference, reference.registry ?? LOCAL_REGISTRY);
}

/** The full names that a name can mean in the local store, the likeliest first. */
export function localCandidates(name: string): string[] {
  const reference = withDefaultTag(parseReference(name));
  if (reference.registry !== undefined) return [onRegistry(reference, reference.registry)];
  return [onRegistry(reference, LOCAL_REGISTRY), onRegistry(reference, DOCKER_HUB)];
}

/** The full name under which a name is pulled: a short name comes from docker.io. */
export function pullName(name: string): string {
  const reference = withDefaultTag(parseReference(name));
  return onRegistry(reference, reference.registry ?? DOCKER_HUB);
}

/** The registry of a full name, as credentials are filed under. */
export const registryOf = (name: string): string => parseReference(name).registry ?? DOCKER_HUB;

/** The name with the tag replaced by a digest, as RepoDigests show it. */
export const withDigest = (name: string, digest: string): string =>
  formatReference({ ...parseReference(name), tag: undefined, digest });
