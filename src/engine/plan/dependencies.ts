import type { Container } from '../../model/container.ts';

/** IDs of the containers whose namespaces this one joins, each once. Pure. */
export function dependencies({ config }: Container): string[] {
  const modes = [config.network, config.ipc, config.pid, config.uts];
  const ids = modes.flatMap(({ mode, target }) =>
    mode === 'container' && target !== undefined ? [target] : [],
  );
  return [...new Set(ids)];
}
