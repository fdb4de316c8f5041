/** `Linear`: an affine map of the last dimension. */
import { ShapeError } from '../graph/errors.js';
import { checkFlag, checkOptions, checkWhole } from '../graph/options.js';
import { formatShape } from '../graph/shape.js';
import type { Value, Variable } from '../graph/value.js';
import { linear } from '../ops/linear.js';
import { uniform } from './initializers.js';
import { Module } from './module.js';
import { randomSeed } from './random.js';

/** Options of a {@link Linear} layer. */
export interface LinearOptions {
  /** Features in. */
  readonly inputSize: number;
  /** Features out. */
  readonly outputSize: number;
  /** Whether a bias is added. Default `true`. */
  readonly bias?: boolean;
  /** For messages and listings. */
  readonly name?: string;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/**
 * `y = x·Wᵀ + b`, as PyTorch's `nn.Linear`; parameters `weight` [O,I] and `bias` [O], both begun
 * U(±1/√I).
 */
export class Linear extends Module {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly weight: Variable;
  readonly bias: Variable | null;

  /** @throws ArgumentError for a size that is not a whole number of at least 1, or an unknown option */
  constructor(options: LinearOptions) {
    super('linear', options.name);
    checkOptions(this.culprit, options, ['inputSize', 'outputSize', 'bias', 'name', 'seed']);
    const { inputSize, outputSize, bias = true, seed = randomSeed() } = options;
    checkWhole(this.culprit, 'inputSize', inputSize, 1);
    checkWhole(this.culprit, 'outputSize', outputSize, 1);
    checkFlag(this.culprit, 'bias', bias);
    checkWhole(this.culprit, 'seed', seed, 0);
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    const bound = 1 / Math.sqrt(inputSize);
    this.weight = this.addParameter(
      'weight',
      [outputSize, inputSize],
      uniform(outputSize * inputSize, bound, seed, 0),
    );
    this.bias = bias ? this.addParameter('bias', [outputSize], uniform(outputSize, bound, seed, 1)) : null;
  }

  /**
   * @param x `[…,inputSize]`
   * @returns `[…,outputSize]`
   * @throws ShapeError when the last dimension is not `inputSize`
   */
  forward(x: Value): Value {
    const features = x.shape.at(-1);
    if (features !== this.inputSize || x.dtype !== 'float32') {
      throw new ShapeError({
        culprit: this.culprit,
        problem: `input is ${x.dtype}${formatShape(x.shape)}, inputSize is ${this.inputSize}`,
        remedy: `pass real numbers whose last dimension is ${this.inputSize}`,
      });
    }
    const { graph } = x;
    return linear(x, graph.read(this.weight), this.bias && graph.read(this.bias), this.label);
  }
}
