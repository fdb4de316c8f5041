/** Adam, and AdamW with its decoupled weight decay. */
import { checkNumber, checkOptions } from '../graph/options.js';
import type { AdamRule } from '../ops/optimizer-update.js';
import { checkBetas } from './betas.js';
import { Optimizer, OPTIMIZER_OPTIONS, type OptimizerOptions } from './optimizer.js';

/** Options of {@link Adam} and {@link AdamW}, with PyTorch's defaults; the learning rate's is 1e-3. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0 for Adam, 0.01 for AdamW. */
  readonly weightDecay?: number;
}

function adamRule(name: string, options: AdamOptions, decoupled: boolean): AdamRule {
  checkOptions(name, options, [...OPTIMIZER_OPTIONS, 'betas', 'epsilon', 'weightDecay']);
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 1e-2 : 0 } = options;
  const [beta1, beta2] = checkBetas(name, betas);
  checkNumber(name, 'epsilon', epsilon, { min: 0 });
  checkNumber(name, 'weightDecay', weightDecay, { min: 0 });
  return { name: 'adam', beta1, beta2, epsilon, weightDecay, decoupled };
}

/** As PyTorch's `optim.Adam` (Kingma & Ba, arXiv 1412.6980); weight decay is added to the gradient. */
export class Adam extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdamOptions = {}) {
    super('Adam', adamRule('Adam', options, false), {
      ...options,
      learningRate: options.learningRate ?? 1e-3,
    });
  }
}

/** As PyTorch's `optim.AdamW` (Loshchilov & Hutter, arXiv 1711.05101); weight decay shrinks the parameter itself. */
export class AdamW extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdamOptions = {}) {
    super('AdamW', adamRule('AdamW', options, true), {
      ...options,
      learningRate: options.learningRate ?? 1e-3,
    });
  }
}
