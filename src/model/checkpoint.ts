import { checkName } from './ids.ts';

/**
 * `complete`; `damaged`: verify found that stored objects are not as they were written; `failed` and `missed`: runs of a
 * schedule that stored nothing.
 */
export type CheckpointStatus = 'complete' | 'damaged' | 'failed' | 'missed';

/** A checkpoint that a container keeps under a name, or a run of its schedule that made none. */
export interface NamedCheckpoint {
  /** ID of the container. */
  readonly container: string;
  readonly name: string;
  /** Grows with each checkpoint of the container. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly created: string;
  readonly status: CheckpointStatus;
  /** Name of the checkpoint that it is stored against; undefined for one that is stored whole. */
  readonly parent: string | undefined;
  /** Made by a schedule, which may also remove it. */
  readonly automatic: boolean;
  /** Bytes that it would take if it were the only one. */
  readonly wholeBytes: number;
  /** Bytes that it alone takes. */
  readonly ownBytes: number;
  /** Bytes of the container's log at its moment. */
  readonly logBytes: number;
  /** SHA-256 of its lists of digests. */
  readonly digest: string;
  /** Why it is damaged, failed or was missed. */
  readonly message: string;
}

/** False for a run of a schedule that made nothing. */
export const isStored = ({ status }: Pick<NamedCheckpoint, 'status'>): boolean =>
  status === 'complete' || status === 'damaged';

/** Refuses names that cannot be part of a path. Errors: USAGE. */
export const checkTag = (tag: string): string => checkName(tag, 'checkpoint');

const REFERENCE = /^([^@/]+)@([a-zA-Z0-9][a-zA-Z0-9_.-]*)$/;

/** The parts of CONTAINER@NAME; undefined for other text, such as an image with its digest. */
export function splitReference(
  text: string,
): { readonly container: string; readonly name: string } | undefined {
  const [, container, name] = REFERENCE.exec(text) ?? [];
  return container === undefined || name === undefined ? undefined : { container, name };
}
