import type { Container } from '../../model/container.ts';
import {
  applyFilters,
  type Filters,
  type Matcher,
  matchBoolean,
  matchLabels,
  matchNoLabels,
  matchPattern,
} from '../../model/filters.ts';
import { parseTimePoint } from '../../model/time-point.ts';
import type { Volume } from '../../model/volume.ts';
import { findVolume, listVolumes } from '../../state/volumes.ts';
import type { EngineContext } from '../context.ts';
import { type VolumeReport, volumeReport } from './report.ts';
import { volumeUsers } from './usage.ts';

export interface VolumeWithUsers {
  readonly volume: Volume;
  readonly users: readonly Container[];
}

/** Volumes that pass the filters, by name. Errors: USAGE, NO_SUCH_VOLUME for `since` of a volume that is not there. */
export function listVolumeReports(ctx: EngineContext, filters: Filters): VolumeReport[] {
  return selectVolumes(ctx, filters).map(({ volume, users }) => volumeReport(volume, users));
}

/** {@link listVolumeReports} for the engine's own use. */
export function selectVolumes(ctx: EngineContext, filters: Filters): VolumeWithUsers[] {
  const users = volumeUsers(ctx);
  const all = listVolumes(ctx.db).map((volume) => ({ volume, users: users.get(volume.name) ?? [] }));
  return applyFilters(all, filters, matchers(ctx), (key) => `"${key}" is an invalid volume filter`);
}

/** The filters of podman-volume-ls(1). */
function matchers(ctx: EngineContext): Readonly<Record<string, Matcher<VolumeWithUsers>>> {
  const since: Matcher<VolumeWithUsers> = ({ volume }, names) =>
    names.every((name) => Date.parse(volume.created) > Date.parse(findVolume(ctx.db, name).created));
  return {
    after: since,
    since,
    anonymous: ({ volume }, values) => matchBoolean('anonymous', volume.anonymous, values),
    dangling: ({ users }, values) => matchBoolean('dangling', users.length === 0, values),
    driver: ({ volume }, values) => values.includes(volume.driver),
    label: ({ volume }, values) => matchLabels(volume.labels, values),
    'label!': ({ volume }, values) => matchNoLabels(volume.labels, values),
    name: ({ volume }, values) => matchPattern(volume.name, values),
    opt: ({ volume }, values) => values.some((value) => matchLabels(volume.options, [value])),
    scope: (_, values) => values.includes('local'),
    until: ({ volume }, values) =>
      values.every((value) => Date.parse(volume.created) < parseTimePoint(value)),
  };
}
