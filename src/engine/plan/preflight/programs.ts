import { type Finding, obstacle, ok, warning } from './finding.ts';
import type { ImportFacts } from './types.ts';

/** `6.18.44-generic` and `4.2` as numbers that can be compared by major and minor. */
function majorMinor(version: string): number | undefined {
  const match = /^(\d+)\.(\d+)/.exec(version);
  return match === null ? undefined : Number(match[1]) * 1000 + Number(match[2]);
}

/** The first of two versions is older by major or minor; false where one of them is unknown. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [majorMinor(version), majorMinor(than)];
  return a !== undefined && b !== undefined && a < b;
}

export function kernelFindings({ archive, host }: ImportFacts): Finding[] {
  const source = archive.facts?.host.kernel;
  if (source === undefined) return [ok('kernel', host.kernel)];
  if (!isOlder(host.kernel, source)) return [ok('kernel', `${host.kernel}, not older than ${source}`)];
  return [
    warning(
      'kernel',
      `the checkpoint was made on kernel ${source} and this is ${host.kernel}: programs that use what only the newer one has will fail`,
      'Boot a newer kernel if the restored programs misbehave.',
    ),
  ];
}

/**
 * CRIU reads the images of all older versions. What a newer one added an older one skips in silence, since both call the
 * format 1.1 (criu/image.c, check_img_inventory): it mostly works, so that this is a warning.
 */
export function criuFindings({ archive, criu }: ImportFacts): Finding[] {
  if (criu.problem !== undefined) {
    return [obstacle('criu', 'CRIU_MISSING', criu.problem.message, criu.problem.hint)];
  }
  const defects = criu.defects.map(({ meaning, fix }) => warning('criu', meaning, fix));
  const source = archive.facts?.criu.version;
  if (source === undefined || !isOlder(criu.version, source)) {
    return defects.length > 0 ? defects : [ok('criu', criu.version)];
  }
  return [
    ...defects,
    warning(
      'criu',
      `the checkpoint was made by CRIU ${source} and this is ${criu.version}, which may miss what the newer one saved`,
      `Install CRIU ${source} or newer.`,
    ),
  ];
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export function runtimeFindings({ archive, runtime }: ImportFacts): Finding[] {
  const made = baseName(archive.config.runtime);
  const name = baseName(runtime.name);
  if (name !== made) {
    return [
      obstacle(
        'runtime',
        'RESTORE_REFUSED',
        `checkpoint archive ${archive.name} was created with runtime '${made}' and cannot be restored with runtime '${name}'`,
        `Leave --runtime out: ${made} is used then.`,
      ),
    ];
  }
  const { problem } = runtime;
  if (problem !== undefined) {
    return [obstacle('runtime', 'RUNTIME_UNSUPPORTED', problem.message, problem.hint)];
  }
  return [ok('runtime', name)];
}
