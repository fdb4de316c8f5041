/** What the executor and its plans promise beyond numbers: old values, in-place updates, feeds, buffers, memory. */
import { RnnError } from '../../../src/graph/errors.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase, GpuContext } from '../case.js';
import { compareExecutors, randomArray, randomTokens } from '../compare-executors.js';
import { check } from '../check.js';

/** Runs `action` and returns the message of the typed error it must fail with. */
async function failure(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof RnnError && error.remedy !== '') return `${error.name}: ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function variable(name: string, values: readonly number[]): Variable {
  return new Variable({ name, shape: [values.length], initial: () => Float32Array.from(values) });
}

async function values(context: GpuContext, of: Variable): Promise<string> {
  return [...(await context.executor.read(of))].join();
}

/** A small training step: embedding, LSTM, output, loss, Adam; everything a plan can hold. */
export function recordTraining(
  graph: Graph,
  T: number,
  B: number,
  V: number,
  E: number,
  H: number,
): Variable[] {
  const make = (name: string, shape: number[], seed: number): Variable =>
    new Variable({
      name,
      shape,
      initial: () =>
        randomArray(
          shape.reduce((a, b) => a * b, 1),
          seed,
          -0.3,
          0.3,
        ),
    });
  const parameters = [
    make('embedding', [V, E], 1),
    make('weight_ih', [4 * H, E], 2),
    make('weight_hh', [4 * H, H], 3),
    make('bias_ih', [4 * H], 4),
    make('bias_hh', [4 * H], 5),
    make('output', [V, H], 6),
    make('output bias', [V], 7),
  ];
  const state = ['h', 'c'].map((name) => new Variable({ name, shape: [B, H] }));
  const [table, weightIh, weightHh, biasIh, biasHh, output, outputBias] = parameters.map((p) =>
    graph.read(p),
  );
  const tokens = graph.input('tokens', [T, B], 'int32');
  const layer = ops.recurrent({
    cell: 'lstm',
    x: ops.embedding(table!, tokens),
    weightIh: weightIh!,
    weightHh: weightHh!,
    biasIh: biasIh!,
    biasHh: biasHh!,
    initialStates: state.map((s) => graph.read(s)),
  });
  const logits = ops.linear(layer.output, output!, outputBias);
  const loss = ops.softmaxCrossEntropy(logits, graph.input('targets', [T, B], 'int32'));
  const gradients = ops.gradients(
    loss,
    parameters.map((p) => graph.read(p)),
  );
  const gradientNorm = ops.globalNorm(gradients);
  const rule = {
    name: 'adam',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    decoupled: false,
  } as const;
  const slots = ops
    .slotNames(rule)
    .map((slot) => parameters.map((p) => new Variable({ name: `${slot} ${p.name}`, shape: p.shape })));
  const counters = new Variable({ name: 'counters', shape: [4] });
  const updated = ops.optimizerUpdate({
    rule,
    learningRate: graph.scalar('learningRate'),
    clipNorm: graph.scalar('clipNorm'),
    gradientNorm,
    counters: graph.read(counters),
    parameters: parameters.map((p) => graph.read(p)),
    gradients,
    slots: slots.map((list) => list.map((slot) => graph.read(slot))),
  });
  graph.update(counters, updated.counters);
  parameters.forEach((p, i) => graph.update(p, updated.parameters[i]!));
  slots.forEach((list, k) => list.forEach((slot, i) => graph.update(slot, updated.slots[k]![i]!)));
  state.forEach((s, i) => graph.update(s, layer.finalStates[i]!));
  graph.output('loss', loss, { history: true });
  graph.output('gradientNorm', gradientNorm, { history: true });
  return [...parameters, ...state, counters, ...slots.flat()];
}

function trainingGraph(
  T: number,
  B: number,
  V: number,
  E: number,
  H: number,
): { graph: Graph; variables: Variable[] } {
  const graph = new Graph('training');
  return { graph, variables: recordTraining(graph, T, B, V, E, H) };
}

export const trainingFeeds = (T: number, B: number, V: number): Record<string, number | Int32Array> => ({
  tokens: randomTokens(T * B, V, 1),
  targets: randomTokens(T * B, V, 2),
  learningRate: 0.01,
  clipNorm: 5,
});

export const cases: readonly GpuCase[] = [
  {
    name: 'five training steps with the state carried agree with the reference',
    run: (context) =>
      compareExecutors(context, (graph) => void recordTraining(graph, 6, 5, 11, 7, 10), {
        feeds: trainingFeeds(6, 5, 11),
        runs: 5,
        tolerance: TOLERANCES.finalParameter,
      }),
  },
  {
    name: 'a run sees the old values of variables: a swap swaps',
    async run(context) {
      const [a, b] = [variable('a', [1, 2]), variable('b', [3, 4])];
      const graph = new Graph('swap');
      graph.update(a, graph.read(b));
      graph.update(b, graph.read(a));
      graph.output('a before', ops.reshape(graph.read(a), [2, 1]));
      const plan = await context.executor.compile(graph);
      const { outputs } = await plan.run({}, { read: ['a before'] });
      check([...outputs['a before']!].join() === '1,2', `output is ${String(outputs['a before'])}`);
      check((await values(context, a)) === '3,4', `a is ${await values(context, a)}`);
      check((await values(context, b)) === '1,2', `b is ${await values(context, b)}`);
      plan.dispose();
      context.executor.release([a, b]);
    },
  },
  {
    name: 'plans share variables, and a plan compiled before they moved together goes on working',
    async run(context) {
      const { executor } = context;
      const { graph, variables } = trainingGraph(3, 2, 7, 4, 8);
      const reader = new Graph('reader');
      reader.output('sum', ops.sum(reader.read(variables[2]!)));
      const before = await executor.compile(reader);
      const first = (await before.run({}, { read: ['sum'] })).outputs.sum![0]!;
      const training = await executor.compile(graph);
      const same = (await before.run({}, { read: ['sum'] })).outputs.sum![0]!;
      check(Object.is(first, same), `moving changed the value from ${first} to ${same}`);
      await training.run(trainingFeeds(3, 2, 7));
      const trained = (await before.run({}, { read: ['sum'] })).outputs.sum![0]!;
      check(trained !== first && Number.isFinite(trained), `training is not seen: ${trained}`);
      const host = Array.from(await executor.read(variables[2]!)).reduce((total, value) => total + value, 0);
      expectClose([trained], [host], TOLERANCES.result, 'sum');
      before.dispose();
      training.dispose();
      executor.release(variables);
    },
  },
  {
    name: 'a packed copy of a weight is made again when the weight is written',
    async run(context) {
      const { executor } = context;
      const H = 6;
      const weight = new Variable({ name: 'weight_hh', shape: [H, H], initial: () => randomArray(H * H, 1) });
      const graph = new Graph('packed');
      const { output } = ops.recurrent({
        cell: 'rnn',
        x: graph.input('x', [3, 2, 4]),
        weightIh: graph.input('weightIh', [H, 4]),
        weightHh: graph.read(weight),
      });
      graph.output('y', output);
      const plan = await executor.compile(graph);
      const reference = context.reference();
      const expected = await reference.compile(graph);
      const feeds = { x: randomArray(24, 2), weightIh: randomArray(24, 3) };
      for (const seed of [1, 2, 3]) {
        executor.write(weight, randomArray(H * H, seed));
        reference.write(weight, randomArray(H * H, seed));
        const y = (await plan.run(feeds, { read: ['y'] })).outputs.y!;
        expectClose(
          y,
          (await expected.run(feeds, { read: ['y'] })).outputs.y!,
          TOLERANCES.result,
          `y after write ${seed}`,
        );
      }
      plan.dispose();
      executor.release([weight]);
    },
  },
  {
    name: 'the history keeps every run until it is read, oldest first, and only the last 1,024',
    async run(context) {
      const graph = new Graph('history');
      const x = graph.scalar('x');
      graph.output('twice', ops.mul(x, 2), { history: true });
      graph.output('square', ops.square(x), { history: true });
      const plan = await context.executor.compile(graph);
      for (let i = 0; i < 3; i++) await plan.run({ x: i });
      const { history } = await plan.run({ x: 3 }, { history: true });
      check([...history.twice!].join() === '0,2,4,6', `twice is ${String(history.twice)}`);
      check([...history.square!].join() === '0,1,4,9', `square is ${String(history.square)}`);
      const next = await plan.run({ x: 10 }, { history: true });
      check([...next.history.twice!].join() === '20', `then ${String(next.history.twice)}`);
      for (let i = 0; i < 1030; i++) await plan.run({ x: i });
      const last = (await plan.run({ x: 1030 }, { history: true })).history.twice!;
      check(
        last.length === 1024 && last[0] === 14 && last.at(-1) === 2060,
        `${last.length} from ${last[0]} to ${last.at(-1)}`,
      );
      plan.dispose();
    },
  },
  {
    name: 'buffers of the application go in and results come out without a copy to the host',
    async run(context) {
      const { executor } = context;
      const { device } = executor;
      const graph = new Graph('foreign');
      graph.output('y', ops.mul(graph.input('x', [5]), graph.scalar('factor')));
      const plan = await executor.compile(graph);
      const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const x = device.createBuffer({ size: 20, usage });
      device.queue.writeBuffer(x, 0, Float32Array.of(1, 2, 3, 4, 5));
      await plan.run({ x, factor: 3 });
      const { buffer, offset, size } = plan.outputBuffer('y');
      const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const y = [...new Float32Array(staging.getMappedRange())].join();
      check(y === '3,6,9,12,15', `y is ${y}`);
      check(
        (await failure(() => plan.run({ x: device.createBuffer({ size: 16, usage }), factor: 1 }))).includes(
          '16 bytes',
        ),
        'a short buffer',
      );
      staging.destroy();
      x.destroy();
      plan.dispose();
    },
  },
  {
    name: 'wrong feeds are refused by name, and nothing is run',
    async run(context) {
      const counter = variable('counter', [0]);
      const graph = new Graph('feeds');
      const x = graph.input('x', [2, 3]);
      graph.input('tokens', [2], 'int32');
      graph.update(counter, ops.reshape(ops.add(ops.sum(x), graph.read(counter)), [1]));
      graph.output('y', x);
      const plan = await context.executor.compile(graph);
      const good = { x: new Float32Array(6).fill(1), tokens: new Int32Array(2) };
      const wrong: [string, () => unknown][] = [
        ['"tokens": was not fed', () => plan.run({ x: good.x })],
        ['got 5 numbers', () => plan.run({ ...good, x: new Float32Array(5) })],
        ['"z": there is no such input', () => plan.run({ ...good, z: 1 })],
        ['got a Float32Array', () => plan.run({ ...good, tokens: new Float32Array(2) })],
        ['got a Int32Array', () => plan.run({ ...good, x: new Int32Array(6) })],
        ['got one number', () => plan.run({ ...good, x: 1 })],
        ['"q": there is no such output', () => plan.run(good, { read: ['q'] })],
        ['got 2 numbers', () => context.executor.write(counter, new Float32Array(2))],
      ];
      for (const [expected, action] of wrong) {
        const message = await failure(action);
        check(message.includes(expected), `"${message}" does not say ${expected}`);
      }
      check((await values(context, counter)) === '0', 'something was run');
      await plan.run(good);
      check((await values(context, counter)) === '6', 'a good feed was not run');
      plan.dispose();
      context.executor.release([counter]);
    },
  },
  {
    name: 'memory comes back to what it was, and use after dispose is refused',
    async run(context) {
      const { executor } = context;
      const before = executor.memory();
      const { graph, variables } = trainingGraph(3, 2, 7, 4, 8);
      const plan = await executor.compile(graph);
      await plan.run(trainingFeeds(3, 2, 7));
      check(executor.memory().bytesInUse > before.bytesInUse, 'memory in use did not grow');
      plan.dispose();
      plan.dispose();
      executor.release(variables);
      await executor.synchronize();
      check(
        executor.memory().bytesInUse === before.bytesInUse,
        `${executor.memory().bytesInUse} bytes are left`,
      );
      check((await failure(() => plan.run({}))).includes('was disposed'), 'a disposed plan');
      check((await failure(() => plan.outputBuffer('loss'))).includes('was disposed'), 'its output buffer');
    },
  },
  {
    name: 'more than the adapter can hold is refused before allocating, naming the limit',
    async run(context) {
      const { executor } = context;
      const before = executor.memory().bytesInUse;
      const graph = new Graph('huge');
      const side = 2 ** 17;
      graph.output('y', ops.matmul(graph.input('x', [side, 1]), graph.input('z', [1, side])));
      const message = await failure(() => executor.compile(graph));
      check(message.startsWith('LimitError') && message.includes('max'), message);
      check(executor.memory().bytesInUse === before, 'something was kept');
    },
  },
  {
    name: 'a variable that the adapter cannot hold is refused before its first value is computed',
    async run(context) {
      let computed = false;
      const huge = new Variable({
        name: 'huge',
        shape: [2 ** 15, 2 ** 16 - 1],
        initial: () => {
          computed = true;
          return new Float32Array(0);
        },
      });
      const graph = new Graph('huge');
      graph.output('y', ops.sum(graph.read(huge)));
      const message = await failure(() => context.executor.compile(graph));
      check(message.startsWith('LimitError') && message.includes('huge'), message);
      check(!computed, 'its first value was computed');
    },
  },
  {
    name: 'more workgroups than a dispatch can have are refused, naming the limit',
    async run(context) {
      const graph = new Graph('many');
      const rows = 2 ** 16;
      const tokens = ops.drawTokens(graph.input('logits', [rows, 2]), {
        temperature: graph.scalar('temperature'),
        seeds: graph.input('seeds', [rows, 2], 'int32'),
        position: graph.scalar('position', 'int32'),
      });
      graph.output('tokens', tokens);
      const message = await failure(() => context.executor.compile(graph));
      check(
        message.startsWith('LimitError') && message.includes('maxComputeWorkgroupsPerDimension'),
        message,
      );
    },
  },
  {
    name: 'a backward pass in segments takes less memory, by option and above a budget',
    async run(context) {
      const [T, B, H] = [64, 8, 16];
      const record = (segment: number): Graph => {
        const graph = new Graph('segments');
        const x = graph.input('x', [T, B, H]);
        const weights = [graph.input('w', [4 * H, H]), graph.input('u', [4 * H, H])];
        const { output } = ops.recurrent({
          cell: 'lstm',
          x,
          weightIh: weights[0]!,
          weightHh: weights[1]!,
          segment,
        });
        ops.gradients(ops.sum(output), weights).forEach((gradient, i) => graph.output(`d ${i}`, gradient));
        return graph;
      };
      const bytes = async (segment: number, executor = context.executor): Promise<number> => {
        const plan = await executor.compile(record(segment));
        const { bytes: taken } = plan.statistics;
        plan.dispose();
        return taken;
      };
      const kept = await bytes(0);
      const segmented = await bytes(8);
      check(segmented < 0.6 * kept, `${segmented} bytes in segments, ${kept} without`);
      const small = await GpuExecutor.create({ device: context.executor.device, recomputeAbove: 16_384 });
      check((await bytes(0, small)) < 0.6 * kept, 'the budget changed nothing');
      small.dispose();
    },
  },
  {
    name: 'the same steps give the same bits',
    async run(context) {
      const { executor } = context;
      const runs: string[] = [];
      for (let attempt = 0; attempt < 2; attempt++) {
        const { graph, variables } = trainingGraph(5, 9, 13, 6, 12);
        const plan = await executor.compile(graph);
        for (let i = 0; i < 9; i++) await plan.run(trainingFeeds(5, 9, 13));
        const { history } = await plan.run(trainingFeeds(5, 9, 13), { history: true });
        runs.push(Array.from(new Uint32Array(history.loss!.buffer)).join());
        plan.dispose();
        executor.release(variables);
      }
      check(runs[0] === runs[1], `losses differ:\n${runs.join('\n')}`);
    },
  },
  {
    name: 'the listing names every kernel, its sizes and the memory',
    async run(context) {
      const { graph, variables } = trainingGraph(5, 9, 13, 6, 12);
      const plan = await context.executor.compile(graph);
      const text = plan.describe();
      for (const part of [
        'recurrent_lstm_forward',
        'recurrent_lstm_backward',
        'optimizer_update_adam',
        'alive at once',
        'gradients',
        '1 submit',
      ]) {
        check(text.includes(part), `no "${part}" in\n${text}`);
      }
      check(plan.statistics.dispatches <= 2 * 5 + 25, `${plan.statistics.dispatches} dispatches`);
      plan.dispose();
      context.executor.release(variables);
    },
  },
];
