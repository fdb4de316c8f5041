/** `Embedding`: a learned vector for each token. */
import { ShapeError } from '../graph/errors.js';
import { checkOptions, checkWhole, nameOf } from '../graph/options.js';
import { formatShape } from '../graph/shape.js';
import { checkValue, type Value, type Variable } from '../graph/value.js';
import { embedding } from '../ops/embedding.js';
import { createInitializer, normal, type InitializerOption } from './initializers.js';
import { Module } from './module.js';
import { randomSeed } from './random.js';

/** Options of an {@link Embedding} layer. */
export interface EmbeddingOptions {
  /** V: number of tokens. */
  readonly vocabSize: number;
  /** E: length of each token's vector. */
  readonly embeddingSize: number;
  /** How the table begins. Default: N(0,1), as in PyTorch. */
  readonly weightInit?: InitializerOption;
  /** For messages and listings. */
  readonly name?: string;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/** Rows of a table picked by tokens, as PyTorch's `nn.Embedding`; parameter `weight` [V,E]. */
export class Embedding extends Module {
  readonly vocabSize: number;
  readonly embeddingSize: number;
  readonly weight: Variable;

  /** @throws ArgumentError for a size that is not a whole number of at least 1, or an unknown option */
  constructor(options: EmbeddingOptions) {
    super('embedding', nameOf('embedding', options));
    checkOptions(this.culprit, options, ['vocabSize', 'embeddingSize', 'weightInit', 'name', 'seed']);
    const { vocabSize, embeddingSize, weightInit, seed = randomSeed() } = options;
    checkWhole(this.culprit, 'vocabSize', vocabSize, 1);
    checkWhole(this.culprit, 'embeddingSize', embeddingSize, 1);
    checkWhole(this.culprit, 'seed', seed, 0);
    this.vocabSize = vocabSize;
    this.embeddingSize = embeddingSize;
    const shape = [vocabSize, embeddingSize];
    this.weight = this.addParameter(
      'weight',
      shape,
      weightInit === undefined
        ? normal(vocabSize * embeddingSize, 1, seed, 0)
        : createInitializer(this.culprit, 'weightInit', weightInit, { shape, seed, stream: 0 }),
    );
  }

  /**
   * @param tokens int32, any shape, each from 0 to `vocabSize − 1`
   * @returns the shape of `tokens` with `embeddingSize` appended
   * @throws ShapeError when `tokens` are not int32
   */
  forward(tokens: Value): Value {
    checkValue(this.culprit, 'input', tokens);
    if (tokens.dtype !== 'int32') {
      throw new ShapeError({
        culprit: this.culprit,
        problem: `tokens are ${tokens.dtype}${formatShape(tokens.shape)}`,
        remedy: 'pass int32 tokens',
      });
    }
    return embedding(tokens.graph.read(this.weight), tokens, this.label);
  }
}
