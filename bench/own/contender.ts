/** This project as a contender: which program does which workload. */
import type { CreateContender } from '../contender.js';
import { createOwnCtc } from './ctc.js';
import { createOwnGeneration } from './generation.js';
import { createPlainTile } from './plain-tile.js';
import { createOwnProduct } from './product.js';
import { createOwnTextGenerator } from './text-generator.js';
import { createOwnTraining } from './training.js';

/**
 * Ours, through the public API; as `own-cpu`, on the CPU; as `text-generator`, what only writes; as
 * `plain-tile`, the yardstick of products.
 */
export const createOwn: CreateContender = async (backend, workload) => {
  switch (workload.kind) {
    case 'training':
      return createOwnTraining(workload, { cpu: backend === 'own-cpu' });
    case 'generation':
      return backend === 'text-generator' ? createOwnTextGenerator(workload) : createOwnGeneration(workload);
    case 'product':
      return backend === 'plain-tile' ? createPlainTile(workload) : createOwnProduct(workload);
    case 'ctc':
      return createOwnCtc(workload);
  }
};
