/** `Dropout`: zeroes elements by chance while training. */
import { checkNumber, checkOptions, nameOf } from '../graph/options.js';
import { checkValue, type Value } from '../graph/value.js';
import { dropout } from '../ops/dropout.js';
import { checkContext, type ForwardContext } from './context.js';
import { Module } from './module.js';

/** Options of a {@link Dropout} layer. */
export interface DropoutOptions {
  /** Probability of zeroing an element, `0 ≤ p < 1`. Default 0.5, as in PyTorch. */
  readonly p?: number;
  /** For messages and listings. */
  readonly name?: string;
}

/**
 * While training, zeroes each element with probability `p` and divides the others by `1 − p`
 * (Srivastava et al., JMLR 2014); else passes its input on.
 */
export class Dropout extends Module {
  readonly p: number;

  /** @throws ArgumentError for a probability out of range, or an unknown option */
  constructor(options: DropoutOptions = {}) {
    super('dropout', nameOf('dropout', options));
    checkOptions(this.culprit, options, ['p', 'name']);
    const { p = 0.5 } = options;
    checkNumber(this.culprit, 'p', p, { min: 0, below: 1 });
    this.p = p;
  }

  /**
   * @param x any shape
   * @param context that of the recording; without one, or when it does not train, `x` is returned
   * @throws ArgumentError where it is missing in a graph that trains
   */
  forward(x: Value, context?: ForwardContext): Value {
    checkValue(this.culprit, 'input', x);
    checkContext(this.culprit, x.graph, context, this.p > 0);
    return applyDropout(x, this.p, context, this.label);
  }
}

/** Dropout as layers use it: nothing is recorded unless `context` trains and `p > 0`. */
export function applyDropout(x: Value, p: number, context: ForwardContext | undefined, label: string): Value {
  if (!context?.training || p === 0) return x;
  return dropout(x, context.dropoutSeed(), { p, stream: context.nextStream() }, label);
}
