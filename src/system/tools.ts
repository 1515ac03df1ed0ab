import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where set-up puts programs that the distribution lacks (a newer CRIU, crun with CRIU). `CRYOPOD_TOOLS` overrides. */
export const toolsDirectory = (): string => process.env.CRYOPOD_TOOLS ?? '/usr/local/lib/cryopod';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** PATH for child programs: cryopod's own tools first, then the caller's PATH, then the system's. */
export function childPath(): string {
  return [join(toolsDirectory(), 'bin'), process.env.PATH ?? '', SYSTEM_PATH]
    .filter((p) => p !== '')
    .join(delimiter);
}

/**
 * The environment of child programs: made anew, so that nothing of the caller's leaks into containers, logs or tools.
 * Proxy variables pass because pulling images needs them.
 */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const passed = [
    'HOME',
    'TMPDIR',
    'TERM',
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
  ];
  const env: Record<string, string> = { PATH: childPath(), LANG: 'C.UTF-8' };
  for (const name of passed) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...extra };
}

/** The absolute path of a program in {@link childPath} or the `also` directories, or undefined. */
export function findProgram(name: string, also: readonly string[] = []): string | undefined {
  if (isAbsolute(name)) return isExecutableFile(name) ? name : undefined;
  return [...childPath().split(delimiter), ...also].map((dir) => join(dir, name)).find(isExecutableFile);
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
