import type { EngineContext } from '../../engine/context.ts';
import { importContainer } from '../../engine/import.ts';
import type { CliContext } from '../context.ts';
import { parsePorts } from '../parse/options/ports.ts';

/**
 * `run` of a checkpoint image: the frozen processes go on, in the background, under the name and ports that are given or
 * else their own. Prints the ID. All else of the container comes from the checkpoint.
 */
export async function runFromCheckpoint(
  ctx: CliContext,
  engine: EngineContext,
  path: string,
  { name, publish }: { readonly name: string | undefined; readonly publish: readonly string[] },
): Promise<number> {
  const { id } = await importContainer(engine, {
    source: { path },
    name,
    publish: publish.length === 0 ? undefined : parsePorts(publish),
    keep: false,
    tcpEstablished: false,
    tcpClose: false,
    fileLocks: false,
    ignoreStaticIp: false,
    ignoreStaticMac: false,
    ignoreRootfs: false,
    ignoreVolumes: false,
    ignoreCpu: false,
    trust: false,
  });
  ctx.print(`${id}\n`);
  return 0;
}
