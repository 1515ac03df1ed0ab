import type { Container } from '../../model/container.ts';
import { type Finding, obstacle, ok, roughly } from './preflight/finding.ts';

/** What the engine has found out about the pre-checkpoint that a checkpoint is to build on. */
export interface PreviousFacts {
  /** There is one of the present run of the container. */
  readonly found: boolean;
  /** What is wrong with it. */
  readonly damage?: string | undefined;
  /** It lies in an archive too; `needsArchive`: it must, since the checkpoint will. */
  readonly exported: boolean;
  readonly needsArchive: boolean;
  /** CRIU can tell what has changed since; otherwise the whole memory is saved first and compared. */
  readonly tracked: boolean;
  /** ISO 8601. */
  readonly created?: string | undefined;
}

/** Room in the container's directory for memory that is saved whole before it is compared. */
export interface StagingFacts {
  readonly directory: string;
  readonly freeBytes: number;
  readonly neededBytes: number;
}

/** Whether --with-previous has something to build on. Pure. */
export function previousFindings(
  { config: { name } }: Container,
  { found, damage, exported, needsArchive, tracked, created }: PreviousFacts,
): Finding[] {
  const again = `cryopod container checkpoint --pre-checkpoint${needsArchive ? ' --export FILE' : ''} ${name}`;
  if (!found) {
    const sentence = `cannot checkpoint ${name} with its previous checkpoint: it has no pre-checkpoint since it was started or restored; it goes on running`;
    return [obstacle('previous', 'CHECKPOINT_REFUSED', sentence, `Take one first: ${again}`)];
  }
  if (damage !== undefined) {
    const sentence = `cannot checkpoint ${name} with its previous checkpoint: ${damage}; it goes on running`;
    return [obstacle('previous', 'IMAGE_INVALID', sentence, `Take another one: ${again}`)];
  }
  if (needsArchive && !exported) {
    const sentence = `cannot export ${name} with its previous checkpoint: the last pre-checkpoint is in no archive, without which this one could not be restored elsewhere; it goes on running`;
    return [obstacle('previous', 'CHECKPOINT_REFUSED', sentence, `Take another one: ${again}`)];
  }
  const how = tracked ? "by the kernel's memory tracking" : 'by content';
  return [
    ok('previous', `only what has changed since ${created ?? 'the pre-checkpoint'} is kept, told ${how}`),
  ];
}

/** Pure. */
export function stagingFindings(
  { config: { name } }: Container,
  { directory, freeBytes, neededBytes }: StagingFacts,
): Finding[] {
  if (neededBytes <= freeBytes) return [];
  const sentence = `cannot export ${name} with its previous checkpoint: its memory takes up to ${neededBytes} bytes while it is compared and ${directory} has ${freeBytes} free; it goes on running`;
  const hint = `Free ${roughly(neededBytes - freeBytes)} there, or export without --with-previous.`;
  return [obstacle('space', 'NO_SPACE', sentence, hint)];
}
