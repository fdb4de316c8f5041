/** Lion. */
import { checkNumber, checkOptions } from '../graph/options.js';
import { checkBetas } from './betas.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link Lion}, with the paper's defaults; the learning rate's is 1e-4. */
export interface LionOptions extends OptimizerOptions {
  /** Decay of the direction and of the momentum kept. Default [0.9, 0.99]. */
  readonly betas?: readonly [number, number];
  /** What the parameter shrinks by, times the learning rate. Default 0. */
  readonly weightDecay?: number;
}

/** Lion (Chen et al., arXiv 2302.06675): steps of one size, along the sign of a momentum; decoupled weight decay. */
export class Lion extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: LionOptions = {}) {
    checkOptions('Lion', options, [...OPTIMIZER_OPTIONS, 'betas', 'weightDecay']);
    const { betas = [0.9, 0.99], weightDecay = 0 } = options;
    const [beta1, beta2] = checkBetas('Lion', betas);
    checkNumber('Lion', 'weightDecay', weightDecay, { min: 0 });
    const rule = { name: 'lion', beta1, beta2, weightDecay } as const;
    super('Lion', rule, { ...options, learningRate: options.learningRate ?? 1e-4 });
  }
}
