/** NAdam. */
import { checkFlag, checkNumber, checkOptions } from '../graph/options.js';
import { checkBetas } from './betas.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link NAdam}, with PyTorch's defaults; the learning rate's is 2e-3. */
export interface NAdamOptions extends OptimizerOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** ψ: at update t the momentum is `β₁·(1 − ½·0.96^(t·ψ))`. Default 4e-3. */
  readonly momentumDecay?: number;
  /** Whether weight decay shrinks the parameter itself, as in AdamW. Default `false`. */
  readonly decoupledWeightDecay?: boolean;
}

/** As PyTorch's `optim.NAdam` (Dozat, 2016): Adam with Nesterov momentum, which grows as training goes on. */
export class NAdam extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: NAdamOptions = {}) {
    checkOptions('NAdam', options, [
      ...OPTIMIZER_OPTIONS,
      'betas',
      'epsilon',
      'weightDecay',
      'momentumDecay',
      'decoupledWeightDecay',
    ]);
    const {
      betas = [0.9, 0.999],
      epsilon = 1e-8,
      weightDecay = 0,
      momentumDecay = 4e-3,
      decoupledWeightDecay = false,
    } = options;
    const [beta1, beta2] = checkBetas('NAdam', betas);
    checkNumber('NAdam', 'epsilon', epsilon, { min: 0 });
    checkNumber('NAdam', 'weightDecay', weightDecay, { min: 0 });
    checkNumber('NAdam', 'momentumDecay', momentumDecay, { min: 0 });
    checkFlag('NAdam', 'decoupledWeightDecay', decoupledWeightDecay);
    const rule = {
      name: 'nadam',
      beta1,
      beta2,
      epsilon,
      weightDecay,
      momentumDecay,
      decoupled: decoupledWeightDecay,
    } as const;
    super('NAdam', rule, { ...options, learningRate: options.learningRate ?? 2e-3 });
  }
}
