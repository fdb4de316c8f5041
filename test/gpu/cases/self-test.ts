/** The self-test finds variants and kernels that are wrong, and nothing computes with them from then on. */
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { memoryTuningStore } from '../../../src/gpu/tuning/store.js';
import { AbortError, ShaderError } from '../../../src/graph/errors.js';
import type { Executor } from '../../../src/graph/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { selfTest, type SelfTestReport } from '../../../src/index.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { GRU } from '../../../src/nn/recurrent.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import * as ops from '../../../src/ops/index.js';
import { SGD } from '../../../src/optim/sgd.js';
import { Trainer } from '../../../src/train/trainer.js';
import { compare, expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { randomArray } from '../compare-executors.js';
import { withShaders, type Replace } from '../replaced-shaders.js';
import { check } from '../check.js';

/** Puts another text in the place of one in some kernels, as a compiler that errs. */
function miscompiling(kernels: readonly string[], right: string, wrong: string): Replace {
  return (kernel, code) => {
    if (!kernels.includes(kernel)) return code;
    check(code.includes(right), `${kernel} does not hold ${right}`);
    return code.replace(right, wrong);
  };
}

const failures = ({ checks }: SelfTestReport): string =>
  [...new Set(checks.filter(({ passed }) => !passed).map(({ variant }) => variant))].sort().join('; ');

/** Losses of a small recurrent layer. */
async function trainLayer(executor: Executor): Promise<number[]> {
  const [T, B, I, H] = [4, 3, 2, 5];
  const layer = new GRU({ inputSize: I, hiddenSize: H, seed: 3 });
  const trainer = new Trainer({
    executor,
    parameters: layer,
    optimizer: new SGD({ learningRate: 0.1 }),
    record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!).output, y!),
  });
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) {
    const batch = {
      x: { shape: [T, B, I], data: randomArray(T * B * I, step) },
      y: { shape: [T, B, H], data: randomArray(T * B * H, 90 + step) },
    };
    losses.push((await trainer.step(batch, { read: ['loss'] })).outputs['loss']![0]!);
  }
  trainer.dispose();
  executor.release(layer.parameters());
  return losses;
}

/** Losses of a small network. */
async function train(executor: Executor): Promise<number[]> {
  const [B, I, H] = [35, 21, 33];
  const net = new ModuleDict({
    hidden: new Linear({ inputSize: I, outputSize: H, seed: 1 }),
    output: new Linear({ inputSize: H, outputSize: 3, seed: 2 }),
  });
  const trainer = new Trainer({
    executor,
    parameters: net,
    optimizer: new SGD({ learningRate: 0.1 }),
    record: (_graph, { x, y }) =>
      meanSquaredError(net.modules.output.forward(ops.tanh(net.modules.hidden.forward(x!))), y!),
  });
  const losses: number[] = [];
  for (let step = 0; step < 4; step++) {
    const { outputs } = await trainer.step(
      {
        x: { shape: [B, I], data: randomArray(B * I, step) },
        y: { shape: [B, 3], data: randomArray(B * 3, 90 + step) },
      },
      { read: ['loss'] },
    );
    losses.push(outputs['loss']![0]!);
  }
  trainer.dispose();
  executor.release(net.parameters());
  return losses;
}

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
}

export const cases: readonly GpuCase[] = [
  {
    name: 'a wrong variant is found and left out, also later by its store, and training is right again',
    async run({ executor: { device }, reference }) {
      // One of sixteen blocks of a tile takes its neighbour's columns.
      const wrong = miscompiling(['matmul_16x16'], 'c23 += right3 * left2', 'c23 += right2 * left2');
      const tuningStore = memoryTuningStore();
      const open = (): Promise<GpuExecutor> =>
        GpuExecutor.create({ device: withShaders(device, wrong), tuningStore });
      const cpu = reference();
      const expected = await train(cpu);
      cpu.dispose();
      const executor = await open();
      // Where another variant is the default, the wrong one could only be taken by tuning.
      const graph = new Graph('product');
      graph.output('y', ops.matmul(graph.input('a', [35, 21]), graph.input('b', [21, 33])));
      const [site] = (await executor.compile(graph)).choices;
      const { error } = compare(await train(executor), expected);
      check(site!.chosen !== '16x16' || error > 1e-3, 'nothing is wrong before');
      const parts: string[] = [];
      const report = await selfTest({
        executor,
        operations: ['matmul'],
        onProgress: ({ operation }) => parts.push(operation),
      });
      const variants = ['16x16', '16x16 in 16 parts', '16x16 in 4 parts'].map((name) => `matmul: ${name}`);
      check(failures(report) === variants.join('; '), failures(report));
      check(Object.keys(report.leftOut).sort().join('; ') === variants.join('; '), report.text);
      check(!report.passed && report.unusable.length === 0, report.text);
      check(report.counts.failed + report.counts.passed === report.checks.length, report.text);
      check(report.text.includes('left out from now on: matmul: 16x16'), report.text);
      check(parts.join() === 'arithmetic,functions,copies,matmul,matmul,matmul,', parts.join());
      expectClose(await train(executor), expected, TOLERANCES.result, 'losses');
      executor.dispose();

      const later = await open();
      expectClose(await train(later), expected, TOLERANCES.result, 'losses of a later executor');
      check(Object.keys(later.leftOut).sort().join('; ') === variants.join('; '), 'it is forgotten');
      check((await later.compile(graph)).choices[0]!.chosen !== '16x16', 'it is taken again');
      later.dispose();
    },
  },
  {
    name: 'an operation whose variants are all wrong is refused, and the report says so',
    async run({ executor: { device } }) {
      const executor = await GpuExecutor.create({
        device: withShaders(device, (kernel, code) =>
          kernel.startsWith('embedding_backward') ? code.replaceAll('+= ', '-= ') : code,
        ),
      });
      const report = await selfTest({ executor, operations: ['embedding', 'softmax'] });
      check(report.unusable.join() === 'embedding', report.text);
      check(report.text.includes("no variant works: embedding; compute it with backend: 'cpu'"), report.text);
      check(!failures(report).includes('softmax'), failures(report));
      const graph = new Graph('lookup');
      const table = graph.input('table', [9, 4]);
      const rows = ops.embedding(table, graph.input('tokens', [70], 'int32'));
      graph.output('d table', ops.gradients(ops.sum(rows), [table])[0]!);
      const error = await rejection(executor.compile(graph));
      check(error instanceof ShaderError, String(error));
      check(String(error).includes('embedding_backward 9x4'), String(error));
      check(/no variant works on this adapter .*gather: error/.test(String(error)), String(error));
      executor.dispose();
    },
  },
  {
    name: 'a wrong kernel that has no variants is refused, and nothing else is',
    async run({ executor: { device } }) {
      const wrong = miscompiling(['softmax'], 'exp(shifted) / total', 'exp(shifted)');
      const executor = await GpuExecutor.create({ device: withShaders(device, wrong) });
      const report = await selfTest({ executor, operations: ['softmax', 'dropout'] });
      check(report.unusable.join() === 'softmax', report.text);
      check(Object.keys(report.leftOut).includes('kernel "softmax"'), report.text);
      check(
        Object.keys(report.leftOut).every((name) => name.includes('softmax')),
        report.text,
      );
      const graph = new Graph('probabilities');
      graph.output('y', ops.softmax(graph.input('x', [3, 4])));
      const error = await rejection(executor.compile(graph));
      check(error instanceof ShaderError, String(error));
      check(String(error).includes('kernel "softmax": does not work on this adapter (error'), String(error));
      executor.dispose();
    },
  },
  {
    name: 'with weights of float16 their kernels are tested: right ones pass, a wrong one is refused',
    async run({ executor: { device } }) {
      const weightPrecision = 'float16';
      const right = await GpuExecutor.create({ device, weightPrecision });
      const passed = await selfTest({ executor: right, operations: ['writing'] });
      check(passed.passed, passed.text);
      check(
        passed.checks.some(({ variant }) => variant.includes('generate_lstm_float16')),
        passed.text,
      );
      right.dispose();
      const wrong = miscompiling(['generate_lstm_float16'], '(words.y)', '(words.x)');
      const executor = await GpuExecutor.create({ device: withShaders(device, wrong), weightPrecision });
      const report = await selfTest({ executor, operations: ['writing'] });
      check(report.unusable.join() === 'writing', report.text);
      check(Object.keys(report.leftOut).includes('kernel "generate_lstm_float16"'), report.text);
      executor.dispose();
    },
  },
  {
    name: 'persistent steps that are the default, as on GPUs, are tried; wrong ones are left out, and training is right again',
    async run({ executor: { device }, reference }) {
      // The state before, as the step after has it.
      const wrong = miscompiling(
        ['recurrent_gru_forward_persistent_1'],
        'params.h_write[direction] + ((done - 1u) & params.h_places)',
        'params.h_write[direction] + (done & params.h_places)',
      );
      // Without a name it is no software adapter.
      const unnamed = new Proxy(withShaders(device, wrong), {
        get: (target, name) => (name === 'adapterInfo' ? undefined : (Reflect.get(target, name) as unknown)),
      });
      const executor = await GpuExecutor.create({ device: unnamed });
      const cpu = reference();
      const expected = await trainLayer(cpu);
      cpu.dispose();
      const { error } = compare(await trainLayer(executor), expected);
      check(error > 1e-3, `nothing is wrong before: ${error}`);
      const report = await selfTest({ executor, operations: ['gru'] });
      check(failures(report) === 'recurrent_forward gru plain: persistent, 1 row', report.text);
      check(Object.keys(report.leftOut).join() === failures(report), report.text);
      const tried = new Set(report.checks.map(({ variant }) => variant));
      check(tried.has('recurrent_backward gru plain: persistent, 1 row'), report.text);
      expectClose(await trainLayer(executor), expected, TOLERANCES.result, 'losses');
      executor.dispose();
    },
  },
  {
    name: 'it ends when its signal says so, and nothing stays allocated',
    async run({ executor: { device } }) {
      const executor = await GpuExecutor.create({ device });
      const stop = new AbortController();
      const onProgress = ({ done }: { readonly done: number }): void => {
        if (done === 1) stop.abort();
      };
      const error = await rejection(selfTest({ executor, signal: stop.signal, onProgress }));
      check(error instanceof AbortError, String(error));
      check(executor.memory().bytesInUse === 0, `${executor.memory().bytesInUse} bytes in use`);
      executor.dispose();
    },
  },
];
