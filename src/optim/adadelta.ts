/** Adadelta. */
import { checkNumber, checkOptions } from '../graph/options.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link Adadelta}, with PyTorch's defaults; the learning rate's is 1. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of both mean squares. Default 0.9. */
  readonly rho?: number;
  /** Added under both roots. Default 1e-6. */
  readonly epsilon?: number;
  /** Added to the gradient, times the parameter. Default 0. */
  readonly weightDecay?: number;
}

/** As PyTorch's `optim.Adadelta` (Zeiler, arXiv 1212.5701). */
export class Adadelta extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdadeltaOptions = {}) {
    checkOptions('Adadelta', options, [...OPTIMIZER_OPTIONS, 'rho', 'epsilon', 'weightDecay']);
    const { rho = 0.9, epsilon = 1e-6, weightDecay = 0 } = options;
    checkNumber('Adadelta', 'rho', rho, { min: 0, max: 1 });
    checkNumber('Adadelta', 'epsilon', epsilon, { min: 0 });
    checkNumber('Adadelta', 'weightDecay', weightDecay, { min: 0 });
    const rule = { name: 'adadelta', rho, epsilon, weightDecay } as const;
    super('Adadelta', rule, { ...options, learningRate: options.learningRate ?? 1 });
  }
}
