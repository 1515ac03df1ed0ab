import { isatty } from 'node:tty';
import type { ArchiveCompression } from '../../archive/members.ts';
import type { ArchiveTarget } from '../../archive/types.ts';
import { fail } from '../../model/errors.ts';

const STDOUT = 1;
const COMPRESSIONS: readonly ArchiveCompression[] = ['gzip', 'none', 'zstd'];

interface ExportFlags {
  readonly export: string | undefined;
  readonly compress: string | undefined;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  readonly withImage: boolean;
}

/**
 * The archive that --export asks for; undefined without. Errors: USAGE in podman's words for what goes with --export
 * alone, an unknown compression, or a terminal as target.
 */
export function readExportFlags(
  flags: ExportFlags,
): { readonly target: ArchiveTarget; readonly compression: ArchiveCompression } | undefined {
  if (flags.export === undefined) {
    refuseAlone('--compress', flags.compress !== undefined);
    refuseAlone('--ignore-rootfs', flags.ignoreRootfs);
    refuseAlone('--ignore-volumes', flags.ignoreVolumes);
    refuseAlone('--with-image', flags.withImage);
    return undefined;
  }
  const wanted = flags.compress ?? 'zstd';
  const compression = COMPRESSIONS.find((known) => known === wanted);
  if (compression === undefined) {
    fail('USAGE', {
      message: `selected compression algorithm (${JSON.stringify(wanted)}) not supported. Please select one from: gzip, none, zstd`,
    });
  }
  if (flags.export !== '-') return { target: { path: flags.export }, compression };
  if (isatty(STDOUT)) {
    fail('USAGE', {
      message: 'refusing to write an archive to a terminal',
      hint: 'Redirect the output, or name a file: --export FILE.',
    });
  }
  return { target: { fd: STDOUT }, compression };
}

function refuseAlone(flag: string, given: boolean): void {
  if (given) fail('USAGE', { message: `${flag} can only be used with --export` });
}

interface WithPreCheckpoint {
  readonly withPrevious: boolean;
  readonly withImage: boolean;
  readonly createImage: string | undefined;
}

/** A pre-checkpoint holds memory alone. Errors: USAGE. */
export function refuseWithPreCheckpoint(flags: WithPreCheckpoint): void {
  if (flags.withPrevious) {
    fail('USAGE', {
      message: '--with-previous can not be used with --pre-checkpoint',
      hint: 'Each pre-checkpoint builds on the one before by itself.',
    });
  }
  const refuse = (flag: string, given: boolean): void => {
    if (given) fail('USAGE', { message: `${flag} can not be used with --pre-checkpoint` });
  };
  refuse('--create-image', flags.createImage !== undefined);
  refuse('--with-image', flags.withImage);
}
