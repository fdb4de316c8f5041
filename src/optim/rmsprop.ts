/** RMSprop. */
import { checkFlag, checkNumber, checkOptions } from '../graph/options.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link RMSprop}, with PyTorch's defaults; the learning rate's is 1e-2. */
export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the mean square. Default 0.99. */
  readonly alpha?: number;
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon?: number;
  /** Added to the gradient, times the parameter. Default 0. */
  readonly weightDecay?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Whether the gradient is scaled by its variance instead of its mean square. Default `false`. */
  readonly centered?: boolean;
}

/** As PyTorch's `optim.RMSprop` (https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html). */
export class RMSprop extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: RMSpropOptions = {}) {
    checkOptions('RMSprop', options, [
      ...OPTIMIZER_OPTIONS,
      'alpha',
      'epsilon',
      'weightDecay',
      'momentum',
      'centered',
    ]);
    const { alpha = 0.99, epsilon = 1e-8, weightDecay = 0, momentum = 0 } = options;
    const { centered = false } = options;
    checkNumber('RMSprop', 'alpha', alpha, { min: 0 });
    checkNumber('RMSprop', 'epsilon', epsilon, { min: 0 });
    checkNumber('RMSprop', 'weightDecay', weightDecay, { min: 0 });
    checkNumber('RMSprop', 'momentum', momentum, { min: 0 });
    checkFlag('RMSprop', 'centered', centered);
    const rule = { name: 'rmsprop', alpha, epsilon, weightDecay, momentum, centered } as const;
    super('RMSprop', rule, { ...options, learningRate: options.learningRate ?? 1e-2 });
  }
}
