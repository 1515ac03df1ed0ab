import { machine, release } from 'node:os';
import type { ArchiveFacts } from '../../archive/facts.ts';
import { VERSION } from '../../model/version.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import { hostFacts } from '../../runtime/spec/host.ts';
import { timestamp } from '../../system/clock.ts';
import { hostCpu } from '../../system/cpu.ts';
import { osRelease } from '../../system/os-release.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import type { ImportFacts } from '../plan/preflight/types.ts';
import { monitorInfo } from '../programs.ts';
import { architecture } from '../version.ts';
import { hostSecurityModule, loadedProfiles } from './security-module.ts';

/** `conmon version 2.1.6` → 2.1.6. */
const numberIn = (text: string | undefined): string => /\d+(\.\d+)+/.exec(text ?? '')?.[0] ?? '';

/**
 * This host and the programs that make a checkpoint, as an archive's cryopod.json tells them to the host that restores
 * it. Errors: RUNTIME_UNSUPPORTED.
 */
export async function describeHost(ctx: EngineContext, runtimeName: string): Promise<ArchiveFacts> {
  const runtime = openRuntime(ctx.store, runtimeName, { cgroupManager: ctx.cgroupManager });
  const [probe, criu, conmon] = await Promise.all([runtime.probe(), criuProbe(ctx), monitorInfo()]);
  const system = osRelease();
  const cpu = hostCpu();
  return {
    version: 1,
    cryopod: VERSION,
    created: timestamp(),
    host: {
      kernel: release(),
      architecture: architecture(),
      cpu: { model: cpu.model, flags: [...cpu.flags] },
      distribution: { id: system.get('ID') ?? 'unknown', version: system.get('VERSION_ID') ?? '' },
      cgroupVersion: hostFacts().cgroupVersion,
    },
    runtime: { name: runtime.name, version: probe.version },
    criu: { version: criu?.versionText ?? '' },
    conmon: { version: numberIn(conmon?.version) },
  };
}

/** The same of the host that is to restore. */
export const localHost = (): ImportFacts['host'] => ({
  architecture: architecture(),
  // armv7l and the like are one architecture to CRIU.
  machine: machine().replace(/^armv[67].*/, 'arm'),
  cpu: hostCpu(),
  kernel: release(),
  cgroupVersion: hostFacts().cgroupVersion,
  lsm: hostSecurityModule(),
  profiles: loadedProfiles(),
});
