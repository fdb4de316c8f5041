/** This project as a contender: which program does which workload. */
import type { Contender, CreateContender } from '../contender.js';
import { createOwnTraining } from './training.js';

/** Ours, through the public API. */
export const createOwn: CreateContender = async (backend, workload): Promise<Contender> => {
  switch (workload.kind) {
    case 'training':
      return createOwnTraining(workload);
    default:
      throw new Error(`webgpu-rnn does not do ${workload.name} on ${backend}`);
  }
};
