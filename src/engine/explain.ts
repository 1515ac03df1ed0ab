import type { Container } from '../model/container.ts';
import type { EngineContext } from './context.ts';

export const explainDumpFailure = async <T>(
  _ctx: EngineContext,
  _c: Container,
  work: () => Promise<T>,
): Promise<T> => await work();
export const explainRestoreFailure = async <T>(
  _ctx: EngineContext,
  _c: Container,
  _images: string,
  work: () => Promise<T>,
): Promise<T> => await work();
