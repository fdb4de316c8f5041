/** A classifier that reads names character by character, with the recurrent step and the loop written by hand. */
import { concat, fill, Linear, logSoftmax, ModuleDict, nllLoss, SGD, slice, tanh } from '../../src/index.js';
import { Trainer, type Executor } from '../../src/index.js';
import { NAMES, oneHot, readSamples } from './data.js';
import type { Print } from './program.js';

const HIDDEN = 32;

/** Trains on lines `name,language` until it knows them; returns the part it names right, and the last mean loss. */
export async function names(executor: Executor, print: Print, text = NAMES) {
  const samples = readSamples(text);
  const letters = [...new Set(samples.flatMap(([name]) => Array.from(name!)))].sort();
  const languages = [...new Set(samples.map(([, language]) => language!))].sort();
  const net = new ModuleDict({
    toHidden: new Linear({ inputSize: letters.length + HIDDEN, outputSize: HIDDEN, seed: 1 }),
    toOutput: new Linear({ inputSize: letters.length + HIDDEN, outputSize: languages.length, seed: 2 }),
  });
  const trainer = new Trainer({
    executor,
    parameters: net,
    optimizer: new SGD({ learningRate: 0.05 }),
    // Recorded once for each length of name.
    record: (graph, { name, language }) => {
      let hidden = fill(graph, [1, HIDDEN], 0);
      let scores = fill(graph, [1, languages.length], 0);
      for (let t = 0; t < name!.shape[0]!; t++) {
        const letter = slice(name!, [t, 0], [1, letters.length]);
        const combined = concat([letter, hidden], 1);
        hidden = tanh(net.modules.toHidden.forward(combined));
        scores = logSoftmax(net.modules.toOutput.forward(combined));
      }
      return { loss: nllLoss(scores, language!), scores };
    },
  });
  const batches = samples.map(([name, language]) => ({
    name: { shape: [Array.from(name!).length, letters.length], data: oneHot(Array.from(name!), letters) },
    language: { shape: [1], data: Int32Array.of(languages.indexOf(language!)) },
  }));
  for (let epoch = 0; epoch < 60; epoch++) for (const batch of batches) await trainer.step(batch);
  let right = 0;
  for (const [i, batch] of batches.entries()) {
    const { outputs } = await trainer.evaluate(batch, { read: ['scores'] });
    const scores = outputs['scores']!;
    const guess = languages[scores.indexOf(Math.max(...scores))];
    if (guess === samples[i]![1]) right++;
  }
  print(`${right} of ${samples.length} names right`);
  return { accuracy: right / samples.length };
}
