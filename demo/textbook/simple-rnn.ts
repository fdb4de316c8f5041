/** A layer of 64 simple recurrent units over a batch of 32 sequences of 10 steps with 16 features. */
import { Graph, Random, reshape, RNN, type Executor } from '../../src/index.js';
import type { Print } from './program.js';

/** Gives the shapes of all outputs, `[32,10,64]`, and of the final state, `[32,64]`, with their numbers. */
export async function simpleRnn(executor: Executor, print: Print) {
  const rnn = new RNN({ inputSize: 16, hiddenSize: 64, batchFirst: true, seed: 1 });

  const graph = new Graph('simple RNN');
  const { output, state } = rnn.forward(graph.input('x', [32, 10, 16]));
  // One state a layer, of which there is one: [1,32,64] becomes [32,64].
  const final = reshape(state.h, [32, 64]);
  graph.output('outputs', output);
  graph.output('state', final);

  const random = new Random(2);
  const x = Float32Array.from({ length: 32 * 10 * 16 }, () => random.uniform());
  const plan = await executor.compile(graph);
  const { outputs } = await plan.run({ x }, { read: ['outputs', 'state'] });

  print(`outputs [${output.shape.join(', ')}]`);
  print(`final state [${final.shape.join(', ')}]`);
  return { outputs: outputs['outputs']!, state: outputs['state']!, shapes: [output.shape, final.shape] };
}
