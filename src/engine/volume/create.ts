import { randomBytes } from 'node:crypto';
import { chown } from 'node:fs/promises';
import { fail } from '../../model/errors.ts';
import { checkName } from '../../model/ids.ts';
import type { Volume } from '../../model/volume.ts';
import { createVolumeDirectory } from '../../rootfs/volumes.ts';
import { putVolume, volumeByName } from '../../state/volumes.ts';
import { timestamp } from '../../system/clock.ts';
import type { EngineContext } from '../context.ts';
import { withVolumesLock } from './lock.ts';

export interface VolumeRequest {
  /** Undefined: a random one; the volume is none the less no anonymous one. */
  readonly name: string | undefined;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** An existing volume of the name is no error. */
  readonly ignore: boolean;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/**
 * Makes an empty volume and returns its name. Errors: NAME_IN_USE, USAGE for drivers and options that cryopod does not
 * have: volumes are directories, nothing is mounted for them.
 */
export async function createVolume(ctx: EngineContext, request: VolumeRequest): Promise<string> {
  const name =
    request.name === undefined ? randomBytes(32).toString('hex') : checkName(request.name, 'volume');
  if (request.driver !== 'local') {
    fail('USAGE', {
      message: `volume driver "${request.driver}" is not supported: cryopod has the driver local`,
    });
  }
  const settings = readOptions(request.options);
  return await withVolumesLock(ctx, 'create', async () => {
    if (volumeByName(ctx.db, name) !== undefined) {
      if (request.ignore) return name;
      fail('NAME_IN_USE', { message: `volume with name ${name} already exists: volume already exists` });
    }
    const mountpoint = await createVolumeDirectory(ctx.store, name);
    const { uid = request.uid, gid = request.gid } = settings;
    if (uid !== undefined || gid !== undefined) await chown(mountpoint, uid ?? 0, gid ?? 0);
    const volume: Volume = {
      name,
      driver: 'local',
      mountpoint,
      created: timestamp(),
      labels: request.labels,
      options: request.options,
      anonymous: false,
      copiedUp: settings.nocopy,
    };
    putVolume(ctx.db, volume);
    return name;
  });
}

interface Settings {
  readonly nocopy: boolean;
  readonly uid?: number;
  readonly gid?: number;
}

/** What of podman-volume-create(1), --opt, makes sense for a directory: copy, nocopy, o=uid=N,gid=N. */
function readOptions(options: Readonly<Record<string, string>>): Settings {
  let settings: Settings = { nocopy: false };
  for (const [key, value] of Object.entries(options)) {
    if (key === 'nocopy') settings = { ...settings, nocopy: true };
    else if (key === 'o') settings = { ...settings, ...readOwner(value) };
    else if (key !== 'copy') refuse(`${key}=${value}`);
  }
  return settings;
}

function readOwner(text: string): { uid?: number; gid?: number } {
  const pairs = text.split(',').map((part) => {
    const match = /^(uid|gid)=(\d+)$/.exec(part);
    return match === null ? refuse(`o=${part}`) : ([match[1], Number(match[2])] as const);
  });
  return Object.fromEntries(pairs);
}

const refuse = (option: string): never =>
  fail('USAGE', {
    message: `volume option ${option} is not supported: invalid argument`,
    hint: 'Known are copy, nocopy and o=uid=N,gid=N. For another file system mount it on the host and bind that directory.',
  });
