import type { EngineContext } from '../../engine/context.ts';
import { inspectContainer } from '../../engine/inspect.ts';
import { latestContainer } from '../../engine/latest.ts';
import { fail, isCryopodError } from '../../model/errors.ts';

/** What templates read of a container: the names of podman's JSON, and `ID` beside `Id`. Errors: NO_SUCH_CONTAINER. */
export async function containerView(engine: EngineContext, name: string, size: boolean): Promise<object> {
  try {
    const data = await inspectContainer(engine, name, { size });
    return Object.defineProperty(data, 'ID', { value: data.Id, enumerable: false });
  } catch (error) {
    if (!isCryopodError(error, 'NO_SUCH_CONTAINER')) throw error;
    return fail('NO_SUCH_CONTAINER', { message: `no such container ${name}`, cause: error });
  }
}

/** The names to inspect. Throws USAGE where there are none, or some beside --latest. */
export function namesOrLatest(
  engine: EngineContext,
  names: readonly string[],
  latest: boolean,
): readonly string[] {
  if (latest && names.length > 0) {
    fail('USAGE', { message: '--latest and arguments cannot be used together' });
  }
  if (!latest && names.length === 0) fail('USAGE', { message: 'no names or ids specified' });
  return latest ? [latestContainer(engine)] : names;
}
