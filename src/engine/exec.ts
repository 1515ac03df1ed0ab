import { fail } from '../model/errors.ts';
import { mergedDirectory } from '../rootfs/overlay.ts';
import { execProcess } from '../runtime/exec-process.ts';
import { resolveUser } from '../runtime/passwd.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { findContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';

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
 * Runs another process in a running container and gives its exit status. Takes no lock, since it can last for days.
 * Errors: NO_SUCH_CONTAINER, CONTAINER_STATE, COMMAND_NOT_FOUND (127), COMMAND_NOT_EXECUTABLE (126).
 */
export async function execInContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: ExecOptions,
): Promise<number> {
  const { config, state } = observe(ctx, findContainer(ctx.db, nameOrId));
  if (state.status !== 'running') {
    fail('CONTAINER_STATE', {
      message: `can only create exec sessions on running containers: ${config.name} is ${state.status}: container state improper`,
    });
  }
  const { user, ...rest } = options;
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  return await runtime.exec(config.id, {
    process: execProcess(
      config,
      {
        args: rest.command,
        env: rest.env,
        tty: rest.tty,
        privileged: rest.privileged,
        workdir: rest.workdir,
        user: resolveUser(mergedDirectory(ctx.store, config.id), user ?? config.user),
      },
      hostFacts(),
    ),
    interactive: options.interactive,
    detach: options.detach,
  });
}
