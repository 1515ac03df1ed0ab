/** One row of the error table: what a code means to the shell, to an HTTP client and to a reader of the docs. */
export interface ErrorKind {
  /** Exit status of the command that ends with this error. */
  readonly exit: number;
  /** HTTP status of an API call that ends with this error. */
  readonly http: number;
  /** One sentence for docs/errors.md. */
  readonly summary: string;
}

const kind = (exit: number, http: number, summary: string): ErrorKind => ({ exit, http, summary });

/** The one error table. Every error that a user can see has a row here; docs/errors.md is made from it. */
export const ERROR_TABLE = {
  USAGE: kind(
    125,
    400,
    'The command line cannot be understood: an unknown option, a bad value, a missing argument.',
  ),
  NEEDS_ROOT: kind(125, 403, 'The operation needs root.'),
  NO_SUCH_CONTAINER: kind(125, 404, 'No container has this name or ID.'),
  NO_SUCH_IMAGE: kind(125, 404, 'No image has this name or ID in the local store.'),
  NO_SUCH_VOLUME: kind(125, 404, 'No volume has this name.'),
  NO_SUCH_NETWORK: kind(125, 404, 'No network has this name.'),
  NO_SUCH_OBJECT: kind(125, 404, 'No container, image, volume or network has this name.'),
  AMBIGUOUS_ID: kind(125, 409, 'An abbreviated ID matches more than one object.'),
  NAME_IN_USE: kind(125, 409, 'The name already belongs to another object.'),
  IN_USE: kind(125, 409, 'The object cannot be removed while something uses it.'),
  CONTAINER_STATE: kind(125, 409, 'The container is not in a state that allows the operation.'),
  CONTAINER_RUNNING: kind(2, 409, 'A running container is removed only with --force.'),
  IMAGE_IN_USE: kind(2, 409, 'An image is removed only with --force while a container uses it.'),
  VOLUME_IN_USE: kind(2, 409, 'A volume is removed only with --force while a container uses it.'),
  NETWORK_IN_USE: kind(2, 409, 'A network is removed only with --force while a container uses it.'),
  BUSY: kind(125, 409, 'Another cryopod process works on the same object and did not finish in time.'),
  PORT_IN_USE: kind(125, 409, 'A host port that is to be published is already taken.'),
  ADDRESS_IN_USE: kind(125, 409, 'The network address asked for is taken or lies outside the subnet.'),
  NETWORK_FAILED: kind(125, 500, 'The container network could not be set up or torn down.'),
  COMMAND_NOT_FOUND: kind(127, 404, 'The command does not exist in the container.'),
  COMMAND_NOT_EXECUTABLE: kind(126, 400, 'The command exists in the container but cannot be executed.'),
  RUNTIME_FAILED: kind(125, 500, 'The OCI runtime or the monitor refused or failed.'),
  RUNTIME_UNSUPPORTED: kind(125, 400, 'The runtime is missing or cannot do what was asked.'),
  CRIU_MISSING: kind(125, 500, 'CRIU is missing, too old, or does not work on this kernel.'),
  CHECKPOINT_REFUSED: kind(125, 409, 'The container cannot be checkpointed as it is; nothing was stopped.'),
  CHECKPOINT_FAILED: kind(125, 500, 'CRIU could not freeze the container.'),
  RESTORE_REFUSED: kind(
    125,
    409,
    'The container cannot be restored as asked; nothing was created or consumed.',
  ),
  RESTORE_FAILED: kind(125, 500, 'CRIU could not thaw the container; its checkpoint is kept.'),
  IMAGE_FAILED: kind(125, 500, 'An image could not be read, unpacked, pulled or pushed.'),
  IMAGE_INVALID: kind(125, 400, 'An image or root file system archive is malformed or unsafe.'),
  ARCHIVE_INVALID: kind(125, 400, 'A checkpoint archive is malformed or unsafe.'),
  ARCHIVE_FAILED: kind(125, 500, 'A checkpoint archive could not be written.'),
  STORE_FAILED: kind(125, 500, "The store's database or directories cannot be used."),
  MOUNT_FAILED: kind(125, 500, 'A file system could not be mounted or unmounted.'),
  LINK_LOST: kind(
    125,
    502,
    'The link to the other host broke, or its program ended, before a migration was over.',
  ),
  PEER_INVALID: kind(
    125,
    502,
    'The other side of a migration does not speak the protocol, or another version of it.',
  ),
  MIGRATION_REFUSED: kind(125, 409, 'The container cannot be moved as asked; it goes on where it is.'),
  MIGRATION_FAILED: kind(125, 500, 'The container was not moved; it goes on where it was.'),
  IN_DOUBT: kind(
    125,
    409,
    'The container was handed over to another host that has not said whether it runs there; it must not run here.',
  ),
  NO_SPACE: kind(125, 507, 'A file system is full.'),
  PROGRAM_MISSING: kind(125, 500, 'A program that cryopod needs is not installed.'),
  PROGRAM_FAILED: kind(125, 500, 'A program that cryopod called failed.'),
  INTERRUPTED: kind(130, 499, 'The command was interrupted and what it had begun was undone.'),
  INTERNAL: kind(125, 500, 'A defect in cryopod.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorDetails {
  /** What was tried on what, and why it did not work. Printed after `Error: `. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** A log that is kept, and the lines in it that decide. */
  readonly log?: { readonly path: string; readonly lines: readonly string[] } | undefined;
}

/** The one error class. `code` is a row of {@link ERROR_TABLE}; failures of clean-up are attached, never replace it. */
export class CryopodError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly log: ErrorDetails['log'];
  /** Errors of clean-up steps that ran because of this one. */
  readonly cleanupErrors: unknown[] = [];

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CryopodError';
    this.code = code;
    this.hint = details.hint;
    this.log = details.log;
  }

  get exitStatus(): number {
    return ERROR_TABLE[this.code].exit;
  }
}

/** Throws a {@link CryopodError}. */
export function fail(code: ErrorCode, details: ErrorDetails): never {
  throw new CryopodError(code, details);
}

export const isCryopodError = (error: unknown, code?: ErrorCode): error is CryopodError =>
  error instanceof CryopodError && (code === undefined || error.code === code);

/** The errno name of a Node system error (`ENOENT`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** SQLite's primary result codes (sqlite3.h) as they concern the disk. */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/**
 * An error of the system or the database that no verb has put into words, as a CryopodError: a full or broken disk is no
 * defect of cryopod. All others are given back as they are.
 */
export function inWords(error: unknown): unknown {
  if (error instanceof CryopodError || !(error instanceof Error)) return error;
  const errno = errnoOf(error) ?? '';
  const result = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || result === SQLITE_FULL) {
    return new CryopodError('NO_SPACE', {
      message: `no space left: ${error.message}`,
      hint: 'Free some where --root and --runroot lie; cryopod rm and rmi work on a full disk, too.',
      cause: error,
    });
  }
  if (errno !== 'EIO' && errno !== 'EROFS' && result !== SQLITE_IOERR) return error;
  return new CryopodError('STORE_FAILED', {
    message: `the store cannot be read or written: ${error.message}`,
    hint: 'Look at the file system that holds --root (dmesg tells of errors of a disk).',
    cause: error,
  });
}

/** The text of any thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
