import { unpauseContainer } from '../../engine/unpause.ts';
import { changeSelected } from '../container/change-selected.ts';

export const command = changeSelected('All paused containers', 'paused', unpauseContainer);
