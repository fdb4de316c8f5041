/** The printed form of a plan: what is run in which order, and which arrays share memory. */
import { expect, test } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { describeProgram } from '../../../src/gpu/describe.js';
import { lowerGraph } from '../../../src/gpu/lower/index.js';
import { planMemory } from '../../../src/gpu/memory.js';
import { lifetimesOf } from '../../../src/gpu/program.js';
import { gradients, linear, recurrent, softmaxCrossEntropy } from '../../../src/ops/index.js';

/** As software adapters would run it, step by step, or as GPUs do. */
function describePlan(graph: Graph, software = true): string {
  const { program } = lowerGraph(graph, Infinity, { software });
  const lifetimes = lifetimesOf(program);
  return describeProgram(program, planMemory(lifetimes, program.steps.length), lifetimes);
}

/** A layer, its output and its loss, with the gradients of the recurrent weights where `training`. */
function record(training: boolean): Graph {
  const [T, B, I, H, V] = [3, 2, 4, 8, 5];
  const graph = new Graph(training ? 'training' : 'evaluation');
  const variable = (name: string, shape: readonly number[]) => graph.read(new Variable({ name, shape }));
  const weights = [variable('weight_ih', [4 * H, I]), variable('weight_hh', [4 * H, H])] as const;
  const { output } = recurrent({
    cell: 'lstm',
    x: graph.input('x', [T, B, I]),
    weightIh: weights[0],
    weightHh: weights[1],
    label: 'encoder',
  });
  const logits = linear(output, variable('output', [V, H]), null, 'output');
  const loss = softmaxCrossEntropy(logits, graph.input('targets', [T, B], 'int32'), { ignoreIndex: null });
  graph.output('loss', loss);
  if (training) gradients(loss, weights).forEach((gradient, i) => graph.output(`gradient ${i}`, gradient));
  return graph;
}

test('a training plan', () => {
  expect(describePlan(record(true))).toMatchInlineSnapshot(`
    "plan "training": 14 dispatches, 0 copies, 1 submit, 18.2 kFLOP

    step  times  kernel                     layer    sizes                                  workgroups  bytes bound  FLOP
       0      1  matmul_16x16               encoder  [6,4]·[4,32]                                    1        1.4 k  1.5 k
       1      3  recurrent_lstm_forward_1   encoder  t=0 [2,8]·[8,32] … t=2 [2,8]·[8,32]             1        6.9 k  5.0 k
       4      1  matmul_16x16               output   [6,8]·[8,5]                                     1          472    480
       5      1  softmax_cross_entropy               [6,5]                                           1          168    240
       6      1  reduce_sum                          [1,6,1]                                         1           28      6
       7      1  fill                                [1] = 1                                         1            4      0
       8      1  matmul_16x16                        [6,5]·[5,8]                                     1          472    480
       9      3  recurrent_lstm_backward_1  encoder  t=2 [2,32]·[32,8] … t=0 [2,32]·[32,8]           1        8.3 k  6.9 k
      12      2  matmul_16x16               encoder  [32,6]·[6,4] … [32,4]·[4,8]                     1        3.4 k  3.6 k

    packed copies, refreshed when their variable has changed:
      weight_hh transposed  1.0 kB

    memory: 3.8 kB in 9 buffers; 3.6 kB alive at once
    buffer  bytes  holds              from step  to step
         0    120  linear                     4        8
         0    512  carried gradients          9       11
         0  1.0 k  dW_hh                     13  end
         1    768  gates                      0       13
         2    256  c over time                1       11
         2    512  dW_ih                     12  end
         3     96  input x            start      end
         4     24  input targets      start      end
         5    256  h over time                1       13
         6    256  unused (read)      start      end
         7     24  losses                     5        6
         7      4  constant                   7        7
         7    192  product                    8       11
         8      4  loss                       6  end"
  `);
});

test('a plan without a backward pass keeps nothing for one', () => {
  expect(describePlan(record(false))).toMatchInlineSnapshot(`
    "plan "evaluation": 7 dispatches, 0 copies, 1 submit, 7.3 kFLOP

    step  times  kernel                    layer    sizes                                workgroups  bytes bound  FLOP
       0      1  matmul_16x16              encoder  [6,4]·[4,32]                                  1        1.4 k  1.5 k
       1      3  recurrent_lstm_forward_1  encoder  t=0 [2,8]·[8,32] … t=2 [2,8]·[8,32]           1        7.7 k  5.0 k
       4      1  matmul_16x16              output   [6,8]·[8,5]                                   1          472    480
       5      1  softmax_cross_entropy              [6,5]                                         1          168    240
       6      1  reduce_sum                         [1,6,1]                                       1           28      6

    packed copies, refreshed when their variable has changed:
      weight_hh transposed  1.0 kB

    memory: 2.3 kB in 6 buffers; 2.3 kB alive at once
    buffer  bytes  holds          from step  to step
         0    768  gates                  0        3
         0    120  linear                 4        5
         0      4  loss                   6  end
         1    512  c over time            1        3
         1     24  losses                 5        6
         2     96  input x        start      end
         3     24  input targets  start      end
         4    256  h over time            1        4
         5    256  unused (read)  start      end"
  `);
});

test('a training plan with persistent kernels', () => {
  const kernels = describePlan(record(true), false).split('\n').slice(2, 11).join('\n');
  expect(kernels).toMatchInlineSnapshot(`
    "step  times  kernel                                layer    sizes                        workgroups  bytes bound  FLOP
       0      1  matmul                                encoder  [6,4]·[4,32]                          1        1.4 k  1.5 k
       1      1  recurrent_lstm_forward_persistent_1   encoder  t=0…2 [2,8]·[8,32]                    1        2.3 k  5.0 k
       2      1  matmul                                output   [6,8]·[8,5]                           1          472    480
       3      1  softmax_cross_entropy                          [6,5]                                 1          168    240
       4      1  reduce_sum                                     [1,6,1]                               1           28      6
       5      1  fill                                           [1] = 1                               1            4      0
       6      1  matmul                                         [6,5]·[5,8]                           1          472    480
       7      1  recurrent_lstm_backward_persistent_1  encoder  t=2…0 [2,32]·[32,8]                   1        2.8 k  6.9 k"
  `);
});
