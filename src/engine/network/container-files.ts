import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerConfig } from '../../model/container.ts';
import type { MountTarget } from '../../rootfs/workdir.ts';
import type { SpecFacts } from '../../runtime/types.ts';
import { runDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import type { NetworkHoldings } from './attach.ts';

export interface ContainerFiles {
  readonly paths: SpecFacts['files'];
  readonly targets: readonly MountTarget[];
}

export async function writeContainerFiles(
  ctx: EngineContext,
  config: ContainerConfig,
  _holdings: NetworkHoldings,
): Promise<ContainerFiles> {
  const directory = runDirectory(ctx.store, config.id);
  await mkdir(directory, { recursive: true });
  const hostname = join(directory, 'hostname');
  await writeFile(hostname, `${config.hostname}\n`);
  return { paths: { hostname }, targets: [{ destination: '/etc/hostname', kind: 'file' }] };
}
