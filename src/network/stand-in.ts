import { fail } from '../model/errors.ts';
import { runOk } from '../system/process.ts';
import { hostLinks } from './host.ts';
import { createNamespace, inNamespace } from './namespace.ts';
import type { Attachment } from './netavark.ts';

/**
 * netavark removes the rules of a container only after it has found and deleted the container's link. Where namespace,
 * link or bridge are lost, empty ones take their places, so that its teardown comes to its end. Fails when something
 * else has the bridge's name, which netavark would delete.
 */
export async function standIn(netns: string, attachments: readonly Attachment[]): Promise<void> {
  await createNamespace(netns);
  const inside = new Set(linkNames(await runOk(inNamespace(netns, ['ip', '-json', 'link']), 'list links')));
  const bridges = await bridgeNames();
  const links = hostLinks();
  for (const { interfaceName, network } of attachments) {
    const bridge = network.network_interface;
    if (!links.has(bridge)) {
      await runOk(['ip', 'link', 'add', bridge, 'type', 'bridge'], `add ${bridge}`);
    } else if (!bridges.has(bridge)) {
      fail('NETWORK_FAILED', { message: `the interface ${bridge} is not the bridge of ${network.name}` });
    }
    if (!inside.has(interfaceName)) {
      // A bridge, as any link will do and a kernel that has containers on bridges has this type.
      const add = ['ip', 'link', 'add', interfaceName, 'type', 'bridge'];
      await runOk(inNamespace(netns, add), `add a link to ${netns}`);
    }
  }
}

/** Removes a bridge that no link is attached to; idempotent. */
export async function removeIdleBridge(bridge: string): Promise<void> {
  if (!(await bridgeNames()).has(bridge)) return;
  const attached = await runOk(['ip', '-json', 'link', 'show', 'master', bridge], `list links of ${bridge}`);
  if (linkNames(attached).length === 0)
    await runOk(['ip', 'link', 'delete', 'dev', bridge], `delete ${bridge}`);
}

const bridgeNames = async (): Promise<Set<string>> =>
  new Set(linkNames(await runOk(['ip', '-json', 'link', 'show', 'type', 'bridge'], 'list bridges')));

/** ip(8) prints an array of objects, or nothing at all; for a filter some versions add empty objects. */
const linkNames = (json: string): string[] =>
  (JSON.parse(json.trim() || '[]') as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
