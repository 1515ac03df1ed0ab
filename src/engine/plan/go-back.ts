import type { Container } from '../../model/container.ts';
import { type Finding, obstacle, ok } from './preflight/finding.ts';
import { type LazyAbility, type RestoreOptions, restoreFindings } from './restore.ts';

export interface GoBackFacts {
  /** Of the checkpoint. */
  readonly name: string;
  readonly isRoot: boolean;
  readonly runtime: { readonly able: boolean; readonly why?: string | undefined };
  /** Needed where the restore is to be lazy. */
  readonly lazy: LazyAbility | undefined;
  /** What is wrong with what is stored of the checkpoint. */
  readonly damage: string | undefined;
  /** The container has a checkpoint that no name keeps. */
  readonly wouldLose: boolean;
  /** Volumes of the container that another one has too. */
  readonly sharedVolumes: readonly { readonly volume: string; readonly user: string }[];
}

/** Whether a container can go back to a checkpoint of its history. Pure. */
export function goBackFindings(
  container: Container,
  options: RestoreOptions,
  { name, damage, wouldLose, sharedVolumes, ...facts }: GoBackFacts,
): readonly Finding[] {
  const { config } = container;
  const found = [...restoreFindings(container, options, { ...facts, complete: true })];
  if (damage !== undefined) {
    const sentence = `the checkpoint ${config.name}@${name} is damaged: ${damage}`;
    found.push(
      obstacle(
        'images',
        'IMAGE_INVALID',
        sentence,
        `cryopod checkpoint verify ${config.name} shows what is whole.`,
      ),
    );
  }
  if (wouldLose) {
    const sentence = `${config.name} has a checkpoint without a name, which going back to ${name} would lose`;
    const hint = `Let it go on and keep it first: cryopod container restore ${config.name}, then cryopod container checkpoint --tag NAME ${config.name}; or give it up: cryopod start ${config.name} && cryopod stop ${config.name}`;
    found.push(obstacle('state', 'RESTORE_REFUSED', sentence, hint));
  }
  for (const { volume, user } of sharedVolumes) {
    const sentence = `the volume ${volume} of ${config.name} is used by ${user} too. Use --ignore-volumes to leave volumes as they are`;
    found.push(obstacle('volumes', 'RESTORE_REFUSED', sentence));
  }
  if (sharedVolumes.length === 0) found.push(ok('volumes', 'no other container uses them'));
  return found;
}
