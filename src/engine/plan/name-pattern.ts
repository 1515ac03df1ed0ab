/**
 * Does a pattern of `--filter reference=` mean this image name? The pattern may leave out the tag and any number of
 * components in front: of `docker.io/library/redis:7` are meant `redis`, `redis:7`, `library/redis` and `red*`.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  const matcher = globMatcher(pattern);
  const components = name.split('/');
  return components.some((_, from) => {
    const rest = components.slice(from).join('/');
    return matcher.test(rest) || matcher.test(rest.replace(/:[^:/]*$/, ''));
  });
}

/** `*` and `?` stop at slashes, as in Go's path.Match. */
function globMatcher(pattern: string): RegExp {
  const source = pattern.replace(/\[[^\]]*\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.length > 1 ? part.replaceAll('\\', '\\\\') : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`);
}
