import type { Container } from '../model/container.ts';
import { hasConnections, type LooseConnection } from '../network/connections.ts';
import { drainConnections } from '../network/drain.ts';
import { holdNetwork, holdNewConnections } from '../network/hold.ts';
import { faultPoint } from '../system/faults.ts';
import { logWarning } from '../system/log.ts';
import type { EngineContext } from './context.ts';

interface HoldChoice {
  readonly leaveRunning: boolean;
  readonly tcpEstablished: boolean;
  /** Lets the processes stand still. Called once at most. */
  readonly freeze: () => Promise<void>;
}

/**
 * Holds the packets of a container that is to be frozen and not to go on, where it has a network of its own. True where it
 * has been frozen for that. On failure the caller ends the hold and lets the container go on. Errors: NETWORK_FAILED, those
 * of `freeze`.
 */
export async function holdForFreeze(
  { signal }: Pick<EngineContext, 'signal'>,
  { config, state: { netns, pid } }: Container,
  { leaveRunning, tcpEstablished, freeze }: HoldChoice,
): Promise<boolean> {
  if (netns === undefined || leaveRunning) return false;
  let isFrozen = false;
  let lost: readonly LooseConnection[] = [];
  if (tcpEstablished) {
    // CRIU saves the connections that a process holds. Those that only the kernel holds must get into a process's hands, or
    // to their end, before packets are held: first new ones wait, then no more are closed.
    await holdNewConnections(netns);
    faultPoint('hold.draining');
    lost = await drainConnections(pid, { signal });
    if (lost.length > 0 || hasConnections(pid)) {
      await freeze();
      isFrozen = true;
      lost = await drainConnections(pid, { stuck: lost, signal });
    }
  }
  await holdNetwork(netns);
  if (lost.length > 0) logWarning(lossOf(config.name, lost));
  return isFrozen;
}

/** What is not saved, in one line. */
function lossOf(name: string, [first, ...more]: readonly LooseConnection[]): string {
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  const what = first === undefined ? '' : `${first.remote} to ${first.local} (${first.state})`;
  return `not saved of ${name}: the connection from ${what}${others}, still being opened or closed with data on its way when it was frozen`;
}
