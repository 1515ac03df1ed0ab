import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatArchiveFacts } from '../../archive/facts.ts';
import { isStored } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { establishedConnections, type TcpConnection } from '../../network/connections.ts';
import { listCheckpoints } from '../../state/checkpoints.ts';
import { listContainers } from '../../state/containers.ts';
import { bundleDirectory } from '../../system/store-paths.ts';
import type { MessageOf } from '../../wire/messages.ts';
import { checkpointFacts } from '../checkpoint-facts.ts';
import type { EngineContext } from '../context.ts';
import { fileBytes } from '../export-space.ts';
import { networksOf } from '../network/moving.ts';
import { configDump, specDump } from '../plan/config-dump/write.ts';
import { dependencies } from '../plan/dependencies.ts';
import type { MigrateFacts } from '../plan/migrate.ts';
import { describeHost } from '../preflight/host-facts.ts';
import type { MigrateOptions } from './types.ts';

/** What is known here of a container that is to leave. Errors: CRIU_MISSING, RUNTIME_UNSUPPORTED. */
export async function migrateFacts(ctx: EngineContext, container: Container): Promise<MigrateFacts> {
  const { id } = container.config;
  return {
    ...(await checkpointFacts(ctx, container)),
    dependents: listContainers(ctx.db)
      .filter((other) => dependencies(other).includes(id))
      .map(({ config }) => config.name),
    history: listCheckpoints(ctx.db, id)
      .filter(isStored)
      .map(({ name }) => name),
  };
}

export interface RequestFacts {
  /** 32 hexadecimal digits. */
  readonly token: string;
  /** Nothing is to be moved. */
  readonly look: boolean;
  /** Bytes. */
  readonly memory: number;
}

/** What the target is told before anything is sent. */
export async function moveRequest(
  ctx: EngineContext,
  container: Container,
  options: MigrateOptions,
  { token, look, memory }: RequestFacts,
): Promise<MessageOf<'request'>> {
  const { config, state } = container;
  const bundle = await readFile(join(bundleDirectory(ctx.store, config.id), 'config.json'), 'utf8');
  const { name, tcpEstablished, fileLocks, ignoreCpu, timeout } = options;
  const files = await fileBytes(ctx, container, { ignoreRootfs: false, ignoreVolumes: false });
  return {
    type: 'request',
    token,
    look,
    id: config.id,
    name,
    config: configDump(container),
    spec: specDump(container, bundle),
    facts: formatArchiveFacts(await describeHost(ctx, config.runtime)),
    networks: JSON.stringify(state.networks),
    address: await addressOf(ctx, container, tcpEstablished),
    options: { tcpEstablished, fileLocks, ignoreCpu },
    patience: timeout,
    bytes: { memory, files },
  };
}

async function addressOf(
  ctx: EngineContext,
  container: Container,
  tcpEstablished: boolean,
): Promise<MessageOf<'request'>['address']> {
  const { config, state } = container;
  const isOutside = ({ local }: TcpConnection): boolean => !/^(127\.|\[::1\])/.test(local);
  const connected = tcpEstablished ? establishedConnections(state.pid) : [];
  return {
    mode: config.network.mode,
    networks: await networksOf(ctx, state.networks),
    connections: connected.some(isOutside),
    publishes: config.network.ports.length > 0,
  };
}
