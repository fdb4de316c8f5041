/** An LSTM of 100 units that reads sentences as words and says whether they praise. */
import { abs, add, div, mean, mul, sub } from '../../src/index.js';
import { Adam, binaryCrossEntropyWithLogits, Linear, LSTM, Model, Sequential } from '../../src/index.js';
import type { Executor, Value } from '../../src/index.js';
import { sentences, WORDS } from './data.js';
import type { Print } from './program.js';

/** Fits for 100 epochs; returns the accuracies on sentences it learned from and on others: both above 0.9. */
export async function words(executor: Executor, print: Print) {
  const network = new Sequential(
    new LSTM({ inputSize: WORDS.length, hiddenSize: 100, batchFirst: true, returnSequences: false, seed: 1 }),
    new Linear({ inputSize: 100, outputSize: 1, seed: 2 }),
  );
  const model = new Model({
    executor,
    network,
    loss: binaryCrossEntropyWithLogits, // a sigmoid, then binary cross-entropy
    optimizer: new Adam({ learningRate: 0.002 }),
    metrics: { accuracy },
  });
  const { history } = await model.fit(sentences(), { epochs: 100, batchSize: 16, validationSplit: 0.25 });
  const [learned, others] = [history['accuracy']!.at(-1)!, history['validationAccuracy']!.at(-1)!];
  print(`loss ${history['loss']!.at(-1)!.toFixed(4)}, accuracy ${learned}, of new sentences ${others}`);
  return { accuracy: learned, validationAccuracy: others };
}

/** The share of logits on the right side of 0: those whose product with ±1 is positive. */
function accuracy(logits: Value, targets: Value) {
  const product = mul(logits, sub(mul(targets, 2), 1));
  return mean(mul(add(div(product, abs(product)), 1), 0.5));
}
