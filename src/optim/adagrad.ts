/** Adagrad. */
import { checkNumber, checkOptions } from '../graph/options.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link Adagrad}, with PyTorch's defaults; the learning rate's is 1e-2. */
export interface AdagradOptions extends OptimizerOptions {
  /** The learning rate of update t is divided by `1 + (t − 1)·learningRateDecay`. Default 0. */
  readonly learningRateDecay?: number;
  /** Added to the gradient, times the parameter. Default 0. */
  readonly weightDecay?: number;
  /** What the sums of squares begin with. Default 0. */
  readonly initialAccumulatorValue?: number;
  /** Added to the denominator. Default 1e-10. */
  readonly epsilon?: number;
}

/** As PyTorch's `optim.Adagrad` (Duchi et al., JMLR 2011). */
export class Adagrad extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdagradOptions = {}) {
    checkOptions('Adagrad', options, [
      ...OPTIMIZER_OPTIONS,
      'learningRateDecay',
      'weightDecay',
      'initialAccumulatorValue',
      'epsilon',
    ]);
    const { learningRateDecay = 0, weightDecay = 0, initialAccumulatorValue = 0, epsilon = 1e-10 } = options;
    checkNumber('Adagrad', 'learningRateDecay', learningRateDecay, { min: 0 });
    checkNumber('Adagrad', 'weightDecay', weightDecay, { min: 0 });
    checkNumber('Adagrad', 'initialAccumulatorValue', initialAccumulatorValue, { min: 0 });
    checkNumber('Adagrad', 'epsilon', epsilon, { min: 0 });
    const rule = {
      name: 'adagrad',
      learningRateDecay,
      weightDecay,
      initialAccumulatorValue,
      epsilon,
    } as const;
    super('Adagrad', rule, { ...options, learningRate: options.learningRate ?? 1e-2 });
  }
}
