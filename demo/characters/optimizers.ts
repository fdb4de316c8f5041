/** The optimizers that the page offers, by name. */
import { Adam, AdamW, Lion, NAdam, RMSprop, SGD, type Optimizer } from '../../src/index.js';
import type { Settings } from './protocol.js';

/** A new optimizer as the settings ask. */
export function createOptimizer({ optimizer, learningRate }: Settings): Optimizer {
  switch (optimizer) {
    case 'adam':
      return new Adam({ learningRate });
    case 'adamw':
      return new AdamW({ learningRate });
    case 'nadam':
      return new NAdam({ learningRate });
    case 'rmsprop':
      return new RMSprop({ learningRate });
    case 'sgd':
      return new SGD({ learningRate, momentum: 0.9 });
    case 'lion':
      return new Lion({ learningRate });
  }
}
