import type { EngineContext } from './context.ts';

/** What the monitor runs once the container has ended: this cryopod, on the same store, settles it. */
export const exitCommand = (ctx: EngineContext, id: string): string[] => [
  ...ctx.self,
  '--root',
  ctx.store.root,
  '--runroot',
  ctx.store.runroot,
  'container',
  'cleanup',
  id,
];
