import { containerDiff } from '../diff.ts';

export const command = containerDiff(undefined);
