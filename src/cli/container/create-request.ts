import type { CreateOptions } from '../../engine/create.ts';
import type { CreateRequest } from '../../engine/plan/container-config.ts';
import { parseSignal } from '../../model/signals.ts';
import type { ParsedFlags } from '../parse/flags.ts';
import { parseAnnotations, parseEnvironment, parseLabels } from '../parse/options/environment.ts';
import { parseMounts } from '../parse/options/mounts.ts';
import { parseNetworkConfig } from '../parse/options/network.ts';
import {
  parseDevice,
  parseEntrypoint,
  parseIpc,
  parsePid,
  parsePull,
  parseUts,
} from '../parse/options/process.ts';
import { parseLog, parseResources, parseShmSize } from '../parse/options/resources.ts';
import { parseSecurity } from '../parse/options/security.ts';
import type { CREATE_FLAGS } from './create-flags.ts';
import { readText } from './read-text.ts';

type Flags = ParsedFlags<typeof CREATE_FLAGS>;

/** Name of the network that a container joins without --network; podman's, so that archives fit both. */
const DEFAULT_NETWORK = 'podman';

const optional = <T>(text: string | undefined, parse: (text: string) => T): T | undefined =>
  text === undefined ? undefined : parse(text);

/** What the command line of `run` and `create` asks the engine for. `args` are IMAGE and the command. Errors: USAGE. */
export function createRequest(flags: Flags, args: readonly string[], argv: readonly string[]): CreateRequest {
  const [image = '', ...command] = args;
  const log = parseLog(flags.logDriver, flags.logOpt);
  return {
    image,
    name: flags.name,
    command,
    entrypoint: optional(flags.entrypoint, parseEntrypoint),
    env: parseEnvironment(flags.env, flags.envFile.map(readText), process.env),
    user: flags.user,
    workdir: flags.workdir,
    hostname: flags.hostname,
    tty: flags.tty,
    interactive: flags.interactive,
    labels: parseLabels(flags.label, flags.labelFile.map(readText)),
    annotations: parseAnnotations(flags.annotation),
    mounts: parseMounts(flags, process.cwd()),
    devices: flags.device.map(parseDevice),
    network: parseNetworkConfig(flags, DEFAULT_NETWORK),
    publishAll: flags.publishAll,
    ipc: parseIpc(flags.ipc ?? ''),
    pid: parsePid(flags.pid ?? ''),
    uts: parseUts(flags.uts ?? ''),
    security: parseSecurity(flags),
    resources: parseResources(flags),
    shmSize: optional(flags.shmSize, parseShmSize),
    stopSignal: optional(flags.stopSignal, parseSignal),
    stopTimeout: flags.stopTimeout,
    autoRemove: flags.rm,
    logDriver: log.driver,
    logPath: log.path,
    logSizeMax: log.sizeMax,
    createCommand: ['cryopod', ...argv],
  };
}

export const createOptions = (flags: Flags): CreateOptions => ({
  pull: parsePull(flags.pull ?? 'missing'),
  replace: flags.replace,
  cidfile: flags.cidfile,
});
