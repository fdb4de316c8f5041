/** What every consumer of the package runs: a model learns four letters by heart, and its file writes on. */
import { CharacterModel, createExecutor } from 'webgpu-rnn';
import { loadTextGenerator } from 'webgpu-rnn/inference';

/** @param options those of createExecutor */
export async function train(options) {
  const executor = await createExecutor(options);
  const text = 'abcd'.repeat(40);
  const model = CharacterModel.create({ executor, text, embeddingSize: 4, hiddenSize: 12, seed: 1 });
  const losses = [];
  await model.fit(text, {
    steps: 40,
    batchSize: 4,
    sequenceLength: 6,
    learningRate: 0.03,
    onProgress: ({ loss }) => losses.push(loss),
  });
  const generator = await loadTextGenerator(await model.save(), {
    backend: executor.kind,
    ...(options.device && { device: options.device }),
  });
  let written = '';
  for await (const character of generator.generate({ prompt: 'a', length: 7, temperature: 0 })) {
    written += character;
  }
  generator.dispose();
  const result = { kind: executor.kind, first: losses[0], last: losses.at(-1), written };
  executor.dispose();
  return result;
}
