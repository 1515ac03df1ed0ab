import type { CheckpointResult } from '../../engine/checkpoint.ts';
import type { RestoreResult } from '../../engine/restore.ts';

const json = (value: unknown): string => `${JSON.stringify(value, null, 4)}\n`;

/** Microseconds of all containers, also of those that were worked on at the same time. */
const total = (results: readonly { readonly duration: number }[]): number =>
  results.reduce((sum, { duration }) => sum + duration, 0);

/** `--print-stats` of a checkpoint in podman's shape; times in microseconds. */
export const checkpointStatistics = (results: readonly CheckpointResult[]): string =>
  json({
    podman_checkpoint_duration: total(results),
    container_statistics: results.map(({ id, input, runtimeDuration, statistics }) => ({
      Id: id,
      RawInput: input,
      runtime_checkpoint_duration: runtimeDuration,
      criu_statistics: {
        freezing_time: statistics.freezingTime,
        frozen_time: statistics.frozenTime,
        memdump_time: statistics.memdumpTime,
        memwrite_time: statistics.memwriteTime,
        pages_scanned: statistics.pagesScanned,
        pages_written: statistics.pagesWritten,
      },
    })),
  });

/** `--print-stats` of a restore in podman's shape; times in microseconds. */
export const restoreStatistics = (results: readonly RestoreResult[]): string =>
  json({
    podman_restore_duration: total(results),
    container_statistics: results.map(({ id, input, runtimeDuration, statistics }) => ({
      Id: id,
      RawInput: input,
      runtime_restore_duration: runtimeDuration,
      criu_statistics: {
        forking_time: statistics.forkingTime,
        restore_time: statistics.restoreTime,
        pages_restored: statistics.pagesRestored,
      },
    })),
  });
