import { messageOf } from '../../model/errors.ts';
import { findProgram } from '../../system/tools.ts';
import type { EngineContext } from '../context.ts';
import {
  aardvarkInfo,
  installedRuntimes,
  monitorInfo,
  netavarkInfo,
  type ProgramInfo,
  RUNTIME_NAMES,
  skopeoInfo,
} from '../programs.ts';
import { bad, type Check, good, warn } from './check.ts';

/** OCI runtimes: at least one must be able to checkpoint. */
export async function checkRuntimes(ctx: EngineContext): Promise<Check[]> {
  try {
    const probes = await installedRuntimes(ctx);
    const checks = probes.map(({ name, version, path, checkpoint }) =>
      checkpoint
        ? good(`runtime ${name}`, `${version} at ${path}, can checkpoint`)
        : warn(
            `runtime ${name}`,
            `${version} at ${path}`,
            `containers of ${name} cannot be checkpointed: it was built without CRIU`,
            'Choose another with --runtime, or run scripts/setup.sh, which brings one.',
          ),
    );
    if (probes.some(({ checkpoint }) => checkpoint)) return checks;
    const names = RUNTIME_NAMES.join(' or ');
    const none = probes.length === 0 ? 'none installed' : 'none can checkpoint';
    return [
      ...checks,
      bad(
        'runtime',
        none,
        'no container can be checkpointed or restored',
        `Install ${names} with CRIU support.`,
      ),
    ];
  } catch (error) {
    return [bad('runtime', messageOf(error), 'containers cannot run', 'Install a working runc or crun.')];
  }
}

/** The other programs that cryopod calls. */
export async function checkPrograms(): Promise<Check[]> {
  const [conmon, netavark, aardvark, skopeo] = await Promise.all([
    monitorInfo(),
    netavarkInfo(),
    aardvarkInfo(),
    skopeoInfo(),
  ]);
  return [
    present('conmon', conmon, 'fail', 'no container can run'),
    present('netavark', netavark, 'warn', 'containers get a network only by --network none or host'),
    present('aardvark-dns', aardvark, 'warn', 'containers do not find each other by name'),
    present('skopeo', skopeo, 'warn', 'images can be neither pulled, pushed, loaded nor saved; import works'),
    firewall(),
    tools(),
  ];
}

function present(
  name: string,
  info: ProgramInfo | undefined,
  status: 'warn' | 'fail',
  meaning: string,
): Check {
  return info === undefined
    ? { name, status, found: 'not installed', meaning, fix: `Install the package ${name}.` }
    : good(name, `${info.version} at ${info.path}`);
}

function firewall(): Check {
  const found = ['nft', 'iptables'].filter((name) => findProgram(name) !== undefined);
  if (found.length > 0) return good('firewall', found.join(', '));
  return warn(
    'firewall',
    'neither nft nor iptables',
    'ports cannot be published, and established connections cannot be checkpointed',
    'Install the package nftables.',
  );
}

/** What engine and image store cannot do without. */
const TOOLS = ['tar', 'mount', 'umount', 'unshare', 'nsenter', 'ip', 'flock', 'find', 'cp', 'gzip', 'zstd'];

function tools(): Check {
  const missing = TOOLS.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return good('tools', TOOLS.join(', '));
  return bad('tools', `missing: ${missing.join(', ')}`, 'much will fail', `Install ${missing.join(', ')}.`);
}
