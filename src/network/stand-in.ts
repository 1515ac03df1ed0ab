import { runOk } from '../system/process.ts';
import { hostLinks } from './host.ts';
import { createNamespace, inNamespace } from './namespace.ts';
import type { Attachment } from './netavark.ts';

/**
 * netavark removes the rules of a container only after it has found and deleted the container's link. Where namespace,
 * link or bridge are lost, dummies take their places, so that its teardown comes to its end.
 */
export async function standIn(netns: string, attachments: readonly Attachment[]): Promise<void> {
  await createNamespace(netns);
  const listed = await runOk(inNamespace(netns, ['ip', '-json', 'link']), `list the links of ${netns}`);
  const links = new Set((JSON.parse(listed) as { ifname: string }[]).map(({ ifname }) => ifname));
  const bridges = hostLinks();
  for (const { interfaceName, network } of attachments) {
    if (!links.has(interfaceName)) {
      const add = ['ip', 'link', 'add', interfaceName, 'type', 'dummy'];
      await runOk(inNamespace(netns, add), `add a link to ${netns}`);
    }
    const bridge = network.network_interface;
    if (!bridges.has(bridge)) await runOk(['ip', 'link', 'add', bridge, 'type', 'bridge'], `add ${bridge}`);
  }
}

/** Removes a bridge that no link is attached to; idempotent. */
export async function removeIdleBridge(bridge: string): Promise<void> {
  if (!hostLinks().has(bridge)) return;
  const attached = await runOk(
    ['ip', '-json', 'link', 'show', 'master', bridge],
    `list the links of ${bridge}`,
  );
  if ((JSON.parse(attached || '[]') as unknown[]).length > 0) return;
  await runOk(['ip', 'link', 'delete', 'dev', bridge, 'type', 'bridge'], `delete ${bridge}`);
}
