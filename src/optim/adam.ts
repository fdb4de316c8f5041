/** Adam, and AdamW with its decoupled weight decay. */
import { ArgumentError } from '../graph/errors.js';
import { checkNumber, checkOptions } from '../graph/options.js';
import type { AdamRule } from '../ops/optimizer-update.js';
import { Optimizer } from './optimizer.js';

/** Options of {@link Adam} and {@link AdamW}, with PyTorch's defaults. */
export interface AdamOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0 for Adam, 0.01 for AdamW. */
  readonly weightDecay?: number;
}

function adamRule(name: string, options: AdamOptions, decoupled: boolean): AdamRule {
  checkOptions(name, options, ['learningRate', 'betas', 'epsilon', 'weightDecay']);
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 1e-2 : 0 } = options;
  if (!Array.isArray(betas) || (betas as readonly unknown[]).length !== 2) {
    throw new ArgumentError({ culprit: name, problem: 'betas is not a pair', remedy: 'pass two numbers' });
  }
  const [beta1, beta2] = betas as readonly [number, number];
  checkNumber(name, 'betas[0]', beta1, { min: 0, below: 1 });
  checkNumber(name, 'betas[1]', beta2, { min: 0, below: 1 });
  checkNumber(name, 'epsilon', epsilon, { min: 0 });
  checkNumber(name, 'weightDecay', weightDecay, { min: 0 });
  return { name: 'adam', beta1, beta2, epsilon, weightDecay, decoupled };
}

/** As PyTorch's `optim.Adam` (Kingma & Ba, arXiv 1412.6980); weight decay is added to the gradient. */
export class Adam extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdamOptions = {}) {
    super('Adam', adamRule('Adam', options, false), options.learningRate ?? 1e-3);
  }
}

/** As PyTorch's `optim.AdamW` (Loshchilov & Hutter, arXiv 1711.05101); weight decay shrinks the parameter itself. */
export class AdamW extends Optimizer {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: AdamOptions = {}) {
    super('AdamW', adamRule('AdamW', options, true), options.learningRate ?? 1e-3);
  }
}
