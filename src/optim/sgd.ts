/** Stochastic gradient descent. */
import { ArgumentError } from '../graph/errors.js';
import { checkFlag, checkNumber, checkOptions } from '../graph/options.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link SGD}, with PyTorch's defaults; the learning rate's is 1e-3. */
export interface SGDOptions extends OptimizerOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Default 0. */
  readonly dampening?: number;
  /** Default `false`; wants momentum and no dampening. */
  readonly nesterov?: boolean;
  /** Added to the gradient, times the parameter. Default 0. */
  readonly weightDecay?: number;
}

/** As PyTorch's `optim.SGD` (https://pytorch.org/docs/stable/generated/torch.optim.SGD.html). */
export class SGD extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: SGDOptions = {}) {
    checkOptions('SGD', options, [...OPTIMIZER_OPTIONS, 'momentum', 'dampening', 'nesterov', 'weightDecay']);
    const { momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options;
    checkNumber('SGD', 'momentum', momentum, { min: 0 });
    checkNumber('SGD', 'dampening', dampening);
    checkFlag('SGD', 'nesterov', nesterov);
    checkNumber('SGD', 'weightDecay', weightDecay, { min: 0 });
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError({
        culprit: 'SGD',
        problem: `nesterov with momentum ${momentum} and dampening ${dampening}`,
        remedy: 'set momentum above 0 and dampening 0, or leave nesterov off',
      });
    }
    const rule = { name: 'sgd', momentum, dampening, nesterov, weightDecay } as const;
    super('SGD', rule, { ...options, learningRate: options.learningRate ?? 1e-3 });
  }
}
