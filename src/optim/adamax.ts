/** Adamax. */
import { checkNumber, checkOptions } from '../graph/options.js';
import { checkBetas } from './betas.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link Adamax}, with PyTorch's defaults; the learning rate's is 2e-3. */
export interface AdamaxOptions extends OptimizerOptions {
  /** Decay of the first moment and of the largest gradient. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the size of each gradient. Default 1e-8. */
  readonly epsilon?: number;
  /** Added to the gradient, times the parameter. Default 0. */
  readonly weightDecay?: number;
}

/** As PyTorch's `optim.Adamax` (Kingma & Ba, arXiv 1412.6980): Adam with the largest gradient instead of the second moment. */
export class Adamax extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdamaxOptions = {}) {
    checkOptions('Adamax', options, [...OPTIMIZER_OPTIONS, 'betas', 'epsilon', 'weightDecay']);
    const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 } = options;
    const [beta1, beta2] = checkBetas('Adamax', betas);
    checkNumber('Adamax', 'epsilon', epsilon, { min: 0 });
    checkNumber('Adamax', 'weightDecay', weightDecay, { min: 0 });
    const rule = { name: 'adamax', beta1, beta2, epsilon, weightDecay } as const;
    super('Adamax', rule, { ...options, learningRate: options.learningRate ?? 2e-3 });
  }
}
