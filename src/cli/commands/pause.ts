import { pauseContainer } from '../../engine/pause.ts';
import { changeSelected } from '../container/change-selected.ts';

export const command = changeSelected('All running containers', 'running', pauseContainer);
