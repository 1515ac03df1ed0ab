import { fail } from '../model/errors.ts';
import type { Network } from '../model/network.ts';

type Driver = Network['driver'];

const SWITCH = /^(true|false|1|0)$/;

/** The options of each driver and what their values look like; for the bridge, those that all versions of netavark know. */
const OPTIONS: Readonly<Record<Driver, Readonly<Record<string, RegExp>>>> = {
  bridge: {
    mode: /^(managed|unmanaged)$/,
    mtu: /^\d+$/,
    metric: /^\d+$/,
    isolate: /^(true|false|strict)$/,
    no_default_route: SWITCH,
  },
  macvlan: {
    mode: /^(bridge|private|vepa|passthru)$/,
    mtu: /^\d+$/,
    metric: /^\d+$/,
    no_default_route: SWITCH,
  },
};

/** What errors call the options of a driver: podman's words. */
const FAMILY: Readonly<Record<Driver, string>> = { bridge: 'bridge', macvlan: 'vlan' };

/** The driver of that name; bridge where none is asked for. Fails with USAGE. */
export function driverNamed(name: string | undefined): Driver {
  if (name === undefined || name === 'bridge' || name === 'macvlan') return name ?? 'bridge';
  return fail('USAGE', {
    message: `unsupported network driver "${name}": cryopod has the drivers bridge and macvlan`,
  });
}

/** Refuses options that the driver does not have, and values that they cannot have. Fails with USAGE. */
export function checkDriverOptions(driver: Driver, options: Readonly<Record<string, string>>): void {
  const family = FAMILY[driver];
  for (const [name, value] of Object.entries(options)) {
    const pattern = OPTIONS[driver][name];
    if (pattern === undefined) fail('USAGE', { message: `unsupported ${family} network option ${name}` });
    if (!pattern.test(value))
      fail('USAGE', { message: `invalid value "${value}" of ${family} network option ${name}` });
  }
}

/**
 * True where a network's containers stand in a layer-2 segment that is not cryopod's own: macvlan, or a bridge that the
 * host's administrator keeps. Nothing translates their addresses, so that these are the same on every host of the
 * segment, and no port of the host is forwarded to them.
 */
export const isDirect = ({ driver, options }: Pick<Network, 'driver' | 'options'>): boolean =>
  driver === 'macvlan' || options?.mode === 'unmanaged';
