import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { mergedDirectory } from '../rootfs/overlay.ts';
import { execProcess } from '../runtime/exec-process.ts';
import { resolveUser } from '../runtime/passwd.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import type { EngineContext } from './context.ts';
import { withContainer } from './with-container.ts';

export interface ExecOptions {
  readonly command: readonly string[];
  /** NAME=value. */
  readonly env: readonly string[];
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly detach: boolean;
  readonly privileged: boolean;
}

/**
 * Runs another process in a running container and gives its exit status. Waits for other commands on the container, so
 * that none freezes or ends it while the process starts; from then on they may, since it can last for days. Errors:
 * NO_SUCH_CONTAINER, CONTAINER_STATE, BUSY, COMMAND_NOT_FOUND (127), COMMAND_NOT_EXECUTABLE (126).
 */
export async function execInContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: ExecOptions,
): Promise<number> {
  const { ended } = await withContainer(ctx, nameOrId, 'exec', async (container) => {
    const { promise: started, resolve } = Promise.withResolvers<void>();
    const running = startProcess(ctx, container, options, resolve);
    await Promise.race([started, running]);
    // In an object, because an async function would wait for a bare promise.
    return { ended: running };
  });
  return await ended;
}

async function startProcess(
  ctx: EngineContext,
  { config, state }: Container,
  { user, command, ...options }: ExecOptions,
  onStarted: () => void,
): Promise<number> {
  if (state.status !== 'running') {
    fail('CONTAINER_STATE', {
      message: `can only create exec sessions on running containers: ${config.name} is ${state.status}: container state improper`,
    });
  }
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  return await runtime.exec(config.id, {
    process: execProcess(
      config,
      {
        args: command,
        env: options.env,
        tty: options.tty,
        privileged: options.privileged,
        workdir: options.workdir,
        user: resolveUser(mergedDirectory(ctx.store, config.id), user ?? config.user),
      },
      hostFacts(),
    ),
    interactive: options.interactive,
    detach: options.detach,
    onStarted,
  });
}
