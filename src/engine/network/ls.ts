import {
  applyFilters,
  type Filters,
  type Matcher,
  matchBoolean,
  matchLabels,
  matchNoLabels,
  matchPattern,
} from '../../model/filters.ts';
import type { Network } from '../../model/network.ts';
import { parseTimePoint } from '../../model/time-point.ts';
import { listNetworks as recordedNetworks } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import { networkUsers } from './usage.ts';

/** Networks that pass the filters, by name. Errors: USAGE. */
export async function listNetworks(ctx: EngineContext, filters: Filters): Promise<Network[]> {
  const networks = await recordedNetworks(ctx.store);
  return applyFilters(networks, filters, matchers(ctx), (key) => `invalid filter "${key}"`);
}

/** The filters of podman-network-ls(1). */
const matchers = (ctx: EngineContext): Readonly<Record<string, Matcher<Network>>> => ({
  dangling: (network, values) => matchBoolean('dangling', networkUsers(ctx, network).length === 0, values),
  driver: ({ driver }, values) => values.includes(driver),
  id: ({ id }, values) => values.some((value) => id.startsWith(value)),
  label: ({ labels }, values) => matchLabels(labels ?? {}, values),
  'label!': ({ labels }, values) => matchNoLabels(labels ?? {}, values),
  name: ({ name }, values) => matchPattern(name, values),
  until: ({ created }, values) => values.every((value) => Date.parse(created) < parseTimePoint(value)),
});
