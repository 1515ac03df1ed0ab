import type { Container } from '../../model/container.ts';
import type { Volume } from '../../model/volume.ts';
import { findVolume } from '../../state/volumes.ts';
import type { EngineContext } from '../context.ts';
import { recordedAsActive } from '../observe.ts';
import { volumeUsers } from './usage.ts';

/** A volume in the shape of podman's `volume inspect`. */
export interface VolumeReport {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Scope: 'local';
  readonly Options: Readonly<Record<string, string>>;
  readonly Anonymous: boolean;
  /** Number of running containers that use it. */
  readonly MountCount: number;
  /** No container has filled it from its image yet. */
  readonly NeedsCopyUp: boolean;
}

export const volumeReport = (volume: Volume, users: readonly Container[]): VolumeReport => ({
  Name: volume.name,
  Driver: volume.driver,
  Mountpoint: volume.mountpoint,
  CreatedAt: volume.created,
  Labels: volume.labels,
  Scope: 'local',
  Options: volume.options,
  Anonymous: volume.anonymous,
  MountCount: users.filter(recordedAsActive).length,
  NeedsCopyUp: !volume.copiedUp,
});

/** A volume by name or unique beginning of its name. Errors: NO_SUCH_VOLUME, AMBIGUOUS_ID. */
export function inspectVolume(ctx: EngineContext, name: string): VolumeReport {
  const volume = findVolume(ctx.db, name);
  return volumeReport(volume, volumeUsers(ctx).get(volume.name) ?? []);
}
