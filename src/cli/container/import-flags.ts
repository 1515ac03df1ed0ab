import type { ArchiveSource } from '../../archive/types.ts';
import { fail } from '../../model/errors.ts';
import { checkName } from '../../model/ids.ts';
import type { PortMapping } from '../../model/network.ts';
import { parsePorts } from '../parse/options/ports.ts';

const STDIN = 0;

interface ImportFlags {
  readonly import: string | undefined;
  readonly importPrevious: string | undefined;
  readonly all: boolean;
  readonly latest: boolean;
  readonly names: readonly string[];
  readonly name: string | undefined;
  readonly publish: readonly string[];
  readonly ignoreCpu: boolean;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  readonly trust: boolean;
  readonly keep: boolean;
  readonly tcpEstablished: boolean;
  readonly tcpClose: boolean;
  readonly fileLocks: boolean;
  readonly ignoreStaticIp: boolean;
  readonly ignoreStaticMac: boolean;
  readonly lazy: boolean;
}

type Common =
  | 'lazy'
  | 'keep'
  | 'tcpEstablished'
  | 'tcpClose'
  | 'fileLocks'
  | 'ignoreStaticIp'
  | 'ignoreStaticMac';

type RestoreFlags = Pick<ImportFlags, Common>;

export interface ArchiveRequest {
  /** Undefined without --import: the arguments may be checkpoint images. */
  readonly source: ArchiveSource | undefined;
  /** The pre-checkpoint's archive. */
  readonly previous: ArchiveSource | undefined;
  readonly name: string | undefined;
  readonly publish: readonly PortMapping[] | undefined;
  readonly ignoreCpu: boolean;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  readonly trust: boolean;
}

/**
 * What a restore was asked for, and the archive that --import names. Errors: USAGE in podman's words for options that
 * need --import, or that it cannot be used with.
 */
export function readImportFlags(flags: ImportFlags): {
  readonly options: RestoreFlags;
  readonly archive: ArchiveRequest;
} {
  const { lazy, keep, tcpEstablished, tcpClose, fileLocks, ignoreStaticIp, ignoreStaticMac } = flags;
  const options = { lazy, keep, tcpEstablished, tcpClose, fileLocks, ignoreStaticIp, ignoreStaticMac };
  if (flags.import === undefined) {
    if (flags.names.length === 0) refuseWithoutArchive(flags);
  } else if (flags.all || flags.latest) {
    fail('USAGE', { message: 'cannot use --import with --all or --latest' });
  } else if (flags.names.length > 0) {
    fail('USAGE', { message: 'cannot use --import with positional arguments' });
  }
  if (flags.name !== undefined) checkName(flags.name, 'container');
  if (tcpEstablished && flags.name !== undefined) {
    fail('USAGE', { message: '--tcp-established cannot be used with --name' });
  }
  if (tcpEstablished && tcpClose) {
    fail('USAGE', { message: '--tcp-established and --tcp-close cannot be used together' });
  }
  if (flags.import === '-' && flags.importPrevious === '-') {
    fail('USAGE', { message: 'only one of --import and --import-previous can be standard input' });
  }
  return {
    options,
    archive: {
      source: sourceOf(flags.import),
      previous: sourceOf(flags.importPrevious),
      name: flags.name,
      publish: flags.publish.length === 0 ? undefined : parsePorts(flags.publish),
      ignoreCpu: flags.ignoreCpu,
      ignoreRootfs: flags.ignoreRootfs,
      ignoreVolumes: flags.ignoreVolumes,
      trust: flags.trust,
    },
  };
}

const sourceOf = (text: string | undefined): ArchiveSource | undefined =>
  text === undefined ? undefined : text === '-' ? { fd: STDIN } : { path: text };

type NeedsArchive = Pick<
  ImportFlags,
  'importPrevious' | 'ignoreRootfs' | 'ignoreVolumes' | 'name' | 'publish' | 'trust' | 'ignoreCpu'
>;

/** Refuses in podman's words what is for archives and checkpoint images only. */
export function refuseWithoutArchive(flags: NeedsArchive): void {
  const given: readonly (readonly [string, boolean])[] = [
    ['--import-previous', flags.importPrevious !== undefined],
    ['--ignore-rootfs', flags.ignoreRootfs],
    ['--ignore-volumes', flags.ignoreVolumes],
    ['--name', flags.name !== undefined],
    ['--publish', flags.publish.length > 0],
    ['--trust', flags.trust],
    ['--ignore-cpu', flags.ignoreCpu],
  ];
  const [first] = given.filter(([, isGiven]) => isGiven);
  if (first !== undefined) fail('USAGE', { message: `${first[0]} can only be used with image or --import` });
}
