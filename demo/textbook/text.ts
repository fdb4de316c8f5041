/** A GRU that learns a text character by character, then writes with its state carried from character to character. */
import { Adam, crossEntropy, Embedding, Graph, GRU, Linear, ModuleDict, Random } from '../../src/index.js';
import { sampleToken, Trainer, type Executor, type HiddenState, type Value } from '../../src/index.js';
import { drawBatch, RHYME } from './data.js';
import type { Print } from './program.js';

const HIDDEN = 64;

/** Trains for 300 steps, to less than 0.2 nats a character of the rhyme, and writes 72 characters. */
export async function text(executor: Executor, print: Print, source = RHYME) {
  const vocabulary = [...new Set(source)].sort();
  const tokens = Int32Array.from(Array.from(source), (character) => vocabulary.indexOf(character));
  const embedding = new Embedding({ vocabSize: vocabulary.length, embeddingSize: 16, seed: 1 });
  const gru = new GRU({ inputSize: 16, hiddenSize: HIDDEN, seed: 2 });
  const output = new Linear({ inputSize: HIDDEN, outputSize: vocabulary.length, seed: 3 });
  const forward = (x: Value, before?: HiddenState) => {
    const { output: h, state } = gru.forward(embedding.forward(x), before);
    return { logits: output.forward(h), state };
  };

  const trainer = new Trainer({
    executor,
    parameters: new ModuleDict({ embedding, gru, output }),
    optimizer: new Adam({ learningRate: 0.01 }),
    record: (_, { x, y }) => crossEntropy(forward(x!).logits, y!),
  });
  const random = new Random(4);
  for (let step = 0; step < 300; step++) await trainer.step(drawBatch(tokens, [32, 8], random));
  const { loss } = await trainer.evaluate(drawBatch(tokens, [32, 8], random));

  const graph = new Graph('writer');
  const before = { h: graph.input('h', [1, 1, HIDDEN]) };
  const { logits, state } = forward(graph.input('x', [1, 1], 'int32'), before);
  graph.output('logits', logits);
  graph.output('h', state.h);
  const plan = await executor.compile(graph);
  const written = [tokens[0]!];
  for (let h = new Float32Array(HIDDEN); written.length < 72;) {
    const { outputs } = await plan.run({ x: Int32Array.of(written.at(-1)!), h }, { read: ['logits', 'h'] });
    h = Float32Array.from(outputs['h']!);
    written.push(sampleToken(outputs['logits']!, { temperature: 0.5, random }));
  }
  const result = written.map((token) => vocabulary[token]).join('');
  print(`loss ${loss.toFixed(4)} nats a character\n\n${result}`);
  return { loss, text: result };
}
