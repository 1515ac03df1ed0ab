import type { ContainerConfig, ContainerState } from '../../model/container.ts';
import { announcement } from '../../network/announcement.ts';
import { isDirect } from '../../network/drivers.ts';
import { readRecord } from '../../network/record.ts';
import { endSilence, silenceNetwork } from '../../network/silence.ts';
import { sendFrames } from '../../system/link-frames.ts';
import { netnsPath } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';

/*
 * A container's address goes from one host of a layer-2 segment to another in three steps: the source takes it away, the
 * target sets it up and announces it, and the source detaches for good (detachNetwork), or gets it back. Both sides hold
 * packets meanwhile, so that none is refused.
 */

type Store = Pick<EngineContext, 'store'>;

/** The part of a container that its hand-over looks at. */
export interface Moving {
  readonly config: Pick<ContainerConfig, 'id' | 'network'>;
  readonly state: Pick<ContainerState, 'netns'>;
}

/** True where the container has a network namespace of cryopod's making, whose links can be silenced. */
const hasLinks = ({ config, state }: Moving): boolean =>
  config.network.mode === 'bridge' && state.netns !== undefined;

/**
 * Before another host may have the container's addresses: nothing here answers for them any more, while links, addresses
 * and routes stay as they are. Idempotent. Errors: NETWORK_FAILED.
 */
export async function takeAddressAway(ctx: Store, container: Moving): Promise<void> {
  if (hasLinks(container)) await silenceNetwork(ctx.store, container.config.id);
}

/**
 * Undoes {@link takeAddressAway}: the container answers here again, and the segment is told so, since the other host may
 * have announced it meanwhile. A hold stays. Idempotent; needed also before a container that was killed in the middle of a
 * hand-over goes on. Errors: NETWORK_FAILED.
 */
export const giveAddressBack = (ctx: Store, container: Moving): Promise<void> =>
  announceAddress(ctx, container);

/**
 * Ends the silence of the container's links, where there is one, and tells the segments of its direct networks where its
 * addresses are now, so that neighbours and switches send here what they sent elsewhere. A hold stays: packets are dropped,
 * not refused, until the sockets are there. Idempotent; may be called again, since nobody confirms an announcement. Errors:
 * NETWORK_FAILED.
 */
export async function announceAddress(ctx: Store, container: Moving): Promise<void> {
  if (!hasLinks(container)) return;
  const { id } = container.config;
  await endSilence(ctx.store, id);
  const record = await readRecord(ctx.store, id);
  const direct = (record?.request.attachments ?? []).filter(({ network }) => isDirect(network));
  const frames = direct.flatMap(({ addresses, mac, interfaceName }) =>
    addresses.flatMap((ip) => {
      const bytes = announcement(ip, mac);
      return bytes === undefined ? [] : [{ interfaceName, bytes }];
    }),
  );
  if (frames.length > 0) await sendFrames(netnsPath(ctx.store, id), frames);
}
