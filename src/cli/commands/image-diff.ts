import { imageDiff } from '../diff.ts';

export const command = imageDiff();
