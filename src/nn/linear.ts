/** `Linear`: an affine map of the last dimension. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { checkFlag, checkOptions, checkWhole, nameOf, show } from '../graph/options.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../graph/shape.js';
import { checkValue, Variable, type Value } from '../graph/value.js';
import { linear } from '../ops/linear.js';
import { createInitializer, uniform, type Initializer, type InitializerOption } from './initializers.js';
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
  /**
   * A weight [O,I] of another layer to share: an embedding's, for an output layer tied to it (Press & Wolf,
   * EACL 2017). Gradients of all its uses add up.
   */
  readonly weight?: Variable;
  /** How the weight begins. Default: U(±1/√I), as in PyTorch. */
  readonly weightInit?: InitializerOption;
  /** How the bias begins. Default: U(±1/√I), as in PyTorch. */
  readonly biasInit?: InitializerOption;
  /** For messages and listings. */
  readonly name?: string;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/**
 * `y = x·Wᵀ + b`, as PyTorch's `nn.Linear`; parameters `weight` [O,I] and `bias` [O], both begun
 * U(±1/√I) unless options say otherwise. It acts on every position alike: `[T,B,I]` becomes `[T,B,O]`, which
 * is what Keras' `TimeDistributed(Dense(O))` does, and no wrapper is needed for it.
 */
export class Linear extends Module {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly weight: Variable;
  readonly bias: Variable | null;

  /** @throws ArgumentError for a size that is not a whole number of at least 1, or an unknown option */
  constructor(options: LinearOptions) {
    super('linear', nameOf('linear', options));
    checkOptions(this.culprit, options, [
      'inputSize',
      'outputSize',
      'bias',
      'weight',
      'weightInit',
      'biasInit',
      'name',
      'seed',
    ]);
    const { inputSize, outputSize, bias = true, weight, seed = randomSeed() } = options;
    checkWhole(this.culprit, 'inputSize', inputSize, 1);
    checkWhole(this.culprit, 'outputSize', outputSize, 1);
    checkFlag(this.culprit, 'bias', bias);
    checkWhole(this.culprit, 'seed', seed, 0);
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    const initial = (name: 'weightInit' | 'biasInit', shape: Shape, stream: number): Initializer => {
      const option = options[name];
      return option === undefined
        ? uniform(sizeOf(shape), 1 / Math.sqrt(inputSize), seed, stream)
        : createInitializer(this.culprit, name, option, { shape, seed, stream });
    };
    const shape = [outputSize, inputSize];
    this.weight =
      weight === undefined
        ? this.addParameter('weight', shape, initial('weightInit', shape, 0))
        : this.shareParameter('weight', this.#checkShared(weight, options));
    this.bias = bias ? this.addParameter('bias', [outputSize], initial('biasInit', [outputSize], 1)) : null;
    if (!bias && options.biasInit !== undefined) {
      throw new ArgumentError({
        culprit: this.culprit,
        problem: 'biasInit is given, but there is no bias',
        remedy: 'leave one of them out',
      });
    }
  }

  #checkShared(weight: Variable, { weightInit }: LinearOptions): Variable {
    const wanted = [this.outputSize, this.inputSize];
    if (!(weight instanceof Variable) || !sameShape(weight.shape, wanted) || weight.dtype !== 'float32') {
      throw new ShapeError({
        culprit: this.culprit,
        problem: `the weight to share is ${
          weight instanceof Variable ? `${weight.dtype}${formatShape(weight.shape)}` : show(weight)
        }`,
        remedy: `pass a variable of shape ${formatShape(wanted)}, which is [outputSize,inputSize]`,
      });
    }
    if (weightInit === undefined) return weight;
    throw new ArgumentError({
      culprit: this.culprit,
      problem: 'weightInit is given, but the weight is shared',
      remedy: 'give it to the layer that the weight comes from',
    });
  }

  /**
   * @param x `[…,inputSize]`
   * @returns `[…,outputSize]`
   * @throws ShapeError when the last dimension is not `inputSize`
   */
  forward(x: Value): Value {
    checkValue(this.culprit, 'input', x);
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
