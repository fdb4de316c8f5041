/** Recurrent layers and their options: each is another layer's work put together, or is refused. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph, liveNodes } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { ForwardContext } from '../../../src/nn/context.js';
import { GRU, LSTM, RNN } from '../../../src/nn/recurrent.js';
import type { MergeMode } from '../../../src/nn/recurrent-options.js';
import type { RecurrentAttributes } from '../../../src/ops/recurrent-attributes.js';
import { gradients } from '../../../src/ops/gradients.js';
import { mul } from '../../../src/ops/binary.js';
import { sum } from '../../../src/ops/reduce-sum.js';
import { copyParameters, expectEach, run, wave } from './run.js';

let executor = new CpuExecutor({ precision: 'float64' });
afterEach(() => {
  executor.dispose();
  executor = new CpuExecutor({ precision: 'float64' });
});

const [T, B, I, H] = [5, 3, 2, 4];
const sizes = { inputSize: I, hiddenSize: H, seed: 3 };
const x = wave(T * B * I);

/** Element [t,b,j] of an array [T,B,width]. */
const at = (data: HostArray, width: number, t: number, b: number, j: number): number =>
  data[(t * B + b) * width + j]!;

/** [T,B,width] from a rule. */
const build = (width: number, rule: (t: number, b: number, j: number) => number): number[] =>
  Array.from({ length: T * B * width }, (_, i) =>
    rule(Math.floor(i / (B * width)), Math.floor(i / width) % B, i % width),
  );

describe('bidirectional', () => {
  it('is a layer each way, side by side; states are layer by layer, forward before reverse', async () => {
    const both = new LSTM({ ...sizes, numLayers: 2, bidirectional: true });
    const state = { h: wave(4 * B * H, 1), c: wave(4 * B * H, 2) };
    const part = (data: Float32Array, index: number) => data.slice(index * B * H, (index + 1) * B * H);
    const result = await run(
      executor,
      (g) => {
        const initial = { h: g.input('h', [4, B, H]), c: g.input('c', [4, B, H]) };
        const { output, state: final } = both.forward(g.input('x', [T, B, I]), initial);
        expect(output.shape).toEqual([T, B, 2 * H]);
        return { output, ...final };
      },
      { x, ...state },
    );
    let below: HostArray = x;
    const finals = { h: [] as number[], c: [] as number[] };
    for (const layer of [0, 1]) {
      const inputSize = layer === 0 ? I : 2 * H;
      const outputs: HostArray[] = [];
      for (const d of [0, 1]) {
        const single = new LSTM({ inputSize, hiddenSize: H, goBackwards: d === 1 });
        await copyParameters(executor, both, single, (name) => {
          const own = name.endsWith('_reverse') ? 1 : 0;
          return own === d && name.includes(`_l${layer}`) ? name.replace(/_l\d.*/, '_l0') : null;
        });
        const ran = await run(
          executor,
          (g) => {
            const initial = { h: g.input('h', [1, B, H]), c: g.input('c', [1, B, H]) };
            const { output, state: final } = single.forward(g.input('x', [T, B, inputSize]), initial);
            return { output, ...final };
          },
          { x: below, h: part(state.h, 2 * layer + d), c: part(state.c, 2 * layer + d) },
        );
        outputs.push(ran['output']!);
        finals.h.push(...ran['h']!);
        finals.c.push(...ran['c']!);
      }
      below = Float64Array.from(build(2 * H, (t, b, j) => at(outputs[j < H ? 0 : 1]!, H, t, b, j % H)));
    }
    expectEach(result['output'], below);
    expectEach(result['h'], finals.h);
    expectEach(result['c'], finals.c);
  });

  it("has PyTorch's names and shapes, with a projection too", () => {
    const layer = new LSTM({ inputSize: 5, hiddenSize: 4, projSize: 3, numLayers: 2, bidirectional: true });
    const names = [...layer.namedParameters()].map(([name, { shape }]) => [name, shape.join()] as const);
    const of = (suffix: string, features: number) => [
      [`weight_ih_${suffix}`, `16,${features}`],
      [`weight_hh_${suffix}`, '16,3'],
      [`bias_ih_${suffix}`, '16'],
      [`bias_hh_${suffix}`, '16'],
      [`weight_hr_${suffix}`, '3,4'],
    ];
    expect(names).toEqual([...of('l0', 5), ...of('l0_reverse', 5), ...of('l1', 6), ...of('l1_reverse', 6)]);
    const first = layer.parameters().map((variable) => variable.initialValue()[0]);
    expect(new Set(first).size).toBe(first.length);
    expect(layer.createState(7).variables.get('h')!.shape).toEqual([4, 7, 3]);
    expect(layer.createState(7).variables.get('c')!.shape).toEqual([4, 7, 4]);
  });

  const merges: [MergeMode, (a: number, b: number) => number][] = [
    ['sum', (a, b) => a + b],
    ['mul', (a, b) => a * b],
    ['ave', (a, b) => (a + b) / 2],
  ];
  it.each(merges)('merges by %s, at each step and at the last', async (merge, rule) => {
    const layers = {
      plain: new GRU({ ...sizes, bidirectional: true }),
      plainLast: new GRU({ ...sizes, bidirectional: true, returnSequences: false }),
      merged: new GRU({ ...sizes, bidirectional: true, merge }),
      mergedLast: new GRU({ ...sizes, bidirectional: true, merge, returnSequences: false }),
    };
    const result = await run(
      executor,
      (g) => {
        const input = g.input('x', [T, B, I]);
        const entries = Object.entries(layers).map(([name, layer]) => [name, layer.forward(input).output]);
        return Object.fromEntries(entries) as Record<string, Value>;
      },
      { x },
    );
    const plain = result['plain']!;
    expectEach(
      result['merged'],
      build(H, (t, b, j) => rule(at(plain, 2 * H, t, b, j), at(plain, 2 * H, t, b, H + j))),
    );
    const last = Array.from({ length: B * H }, (_, i) => {
      const [b, j] = [Math.floor(i / H), i % H];
      return [at(plain, 2 * H, T - 1, b, j), at(plain, 2 * H, 0, b, H + j)] as const;
    });
    expectEach(
      result['mergedLast'],
      last.map(([a, b]) => rule(a, b)),
    );
    expectEach(
      result['plainLast'],
      Array.from({ length: B * 2 * H }, (_, i) => {
        const [b, j] = [Math.floor(i / (2 * H)), i % (2 * H)];
        return last[b * H + (j % H)]![j < H ? 0 : 1];
      }),
    );
  });

  it('feeds merged outputs to the layer above', () => {
    const layer = new RNN({ ...sizes, numLayers: 2, bidirectional: true, merge: 'sum' });
    expect(layer.outputSize).toBe(H);
    expect(layer.namedParameters().get('weight_ih_l1')!.shape).toEqual([H, H]);
    const { output, state } = layer.forward(new Graph('g').input('x', [T, B, I]));
    expect([output.shape, state.h.shape]).toEqual([
      [T, B, H],
      [4, B, H],
    ]);
  });
});

describe('time and batch', () => {
  it('batchFirst is the same with the first two dimensions exchanged, the mask too', async () => {
    const mask = Int32Array.from({ length: T * B }, (_, i) => (i % 4 === 1 ? 0 : 1));
    const turn = <A extends Float32Array | Int32Array>(data: A, width: number): A =>
      data.map((_, i) => {
        const [b, t] = [Math.floor(i / (T * width)), Math.floor(i / width) % T];
        return data[(t * B + b) * width + (i % width)]!;
      }) as A;
    const timeMajor = new LSTM({ ...sizes, numLayers: 2, bidirectional: true });
    const batchMajor = new LSTM({ ...sizes, numLayers: 2, bidirectional: true, batchFirst: true });
    const one = await run(
      executor,
      (g) => {
        const masks = { mask: g.input('mask', [T, B], 'int32') };
        const { output, state } = timeMajor.forward(g.input('x', [T, B, I]), undefined, undefined, masks);
        return { output, ...state };
      },
      { x, mask },
    );
    const other = await run(
      executor,
      (g) => {
        const masks = { mask: g.input('mask', [B, T], 'int32') };
        const { output, state } = batchMajor.forward(g.input('x', [B, T, I]), undefined, undefined, masks);
        expect(output.shape).toEqual([B, T, 2 * H]);
        return { output, ...state };
      },
      { x: turn(x, I), mask: turn(mask, 1) },
    );
    expectEach(other['output'], turn(Float32Array.from(one['output']!), 2 * H));
    expectEach(other['h'], one['h']!);
    expectEach(other['c'], one['c']!);
  });

  it('goBackwards is the sequence turned around, its output turned back', async () => {
    const turn = (data: HostArray, width: number): number[] =>
      build(width, (t, b, j) => at(data, width, T - 1 - t, b, j));
    const forwards = new GRU({ ...sizes, numLayers: 2 });
    const backwards = new GRU({ ...sizes, numLayers: 2, goBackwards: true });
    const result = await run(
      executor,
      (g) => {
        const there = forwards.forward(g.input('turned', [T, B, I]));
        const back = backwards.forward(g.input('x', [T, B, I]));
        return { there: there.output, thereH: there.state.h, back: back.output, backH: back.state.h };
      },
      { x, turned: Float32Array.from(turn(x, I)) },
    );
    expectEach(result['back'], turn(result['there']!, H));
    expectEach(result['backH'], result['thereH']!);
  });

  it('lengths: each sequence as if alone, zeros behind it, its own last step as output', async () => {
    const lengths = Int32Array.of(3, 1, 5);
    const layer = new LSTM({ ...sizes, bidirectional: true, numLayers: 2 });
    const last = new LSTM({ ...sizes, bidirectional: true, numLayers: 2, returnSequences: false });
    const result = await run(
      executor,
      (g) => {
        const input = g.input('x', [T, B, I]);
        const sequences = { lengths: g.input('lengths', [B], 'int32') };
        const { output, state } = layer.forward(input, undefined, undefined, sequences);
        return {
          output,
          ...state,
          last: last.forward(input, undefined, undefined, sequences).output,
          masked: layer.forward(input, undefined, undefined, { mask: g.input('mask', [T, B], 'int32') })
            .output,
        };
      },
      {
        x,
        lengths,
        mask: Int32Array.from({ length: T * B }, (_, i) => (Math.floor(i / B) < lengths[i % B]! ? 7 : 0)),
      },
    );
    expectEach(result['masked'], result['output']!);
    for (const [b, length] of lengths.entries()) {
      const own = Float32Array.from({ length: length * I }, (_, i) => at(x, I, Math.floor(i / I), b, i % I));
      const alone = await run(
        executor,
        (g) => {
          const { output, state } = layer.forward(g.input('x', [length, 1, I]));
          return { output, ...state };
        },
        { x: own },
      );
      for (let t = 0; t < T; t++) {
        for (let j = 0; j < 2 * H; j++) {
          const expected = t < length ? alone['output']![t * 2 * H + j]! : 0;
          expect(at(result['output']!, 2 * H, t, b, j)).toBeCloseTo(expected, 10);
        }
      }
      for (const name of ['h', 'c']) {
        for (let i = 0; i < 4 * H; i++) {
          const [index, j] = [Math.floor(i / H), i % H];
          expect(result[name]![(index * B + b) * H + j]).toBeCloseTo(alone[name]![i]!, 10);
        }
      }
      for (let j = 0; j < 2 * H; j++) {
        const expected = alone['output']![(j < H ? length - 1 : 0) * 2 * H + j]!;
        expect(result['last']![b * 2 * H + j]).toBeCloseTo(expected, 10);
      }
    }
  });

  it('lengths out of range are refused where they are fed', async () => {
    const layer = new RNN(sizes);
    for (const length of [0, T + 1]) {
      const ran = run(
        executor,
        (g) => {
          const lengths = g.input('lengths', [B], 'int32');
          return { y: layer.forward(g.input('x', [T, B, I]), undefined, undefined, { lengths }).output };
        },
        { x, lengths: Int32Array.of(1, length, 2) },
      );
      await expect(ran).rejects.toThrow(`length at index 1 is ${length}; feed lengths from 1 to ${T}`);
    }
  });

  it('keeps no sequence where only the last step is asked for', () => {
    const graph = new Graph('g');
    const layer = new GRU({ ...sizes, numLayers: 2, returnSequences: false });
    const { output } = layer.forward(graph.input('x', [T, B, I]));
    expect(output.shape).toEqual([B, H]);
    graph.output('y', output);
    const nodes = liveNodes(graph);
    const read = new Set(nodes.flatMap((node) => node.inputs));
    const sequences = nodes.filter((node) => node.operation.name === 'recurrent');
    expect(sequences.map((node) => read.has(node.outputs[0]!))).toEqual([true, false]);
    // Nor any state of the layer below.
    expect(nodes.map((node) => node.operation.name)).toEqual(['recurrent', 'recurrent']);
  });
});

describe('states', () => {
  it('stateful: a run begins where the last one of its batch size ended', async () => {
    const layer = new LSTM({ ...sizes, numLayers: 2, stateful: true });
    const stateless = new LSTM({ ...sizes, numLayers: 2 });
    const compile = async (steps: number, batch: number) => {
      const graph = new Graph('g');
      graph.output('y', layer.forward(graph.input('x', [steps, batch, I])).output);
      const plan = await executor.compile(graph);
      return async (data: Float32Array) => (await plan.run({ x: data }, { read: ['y'] })).outputs['y']!;
    };
    const [two, three, other] = [await compile(2, B), await compile(3, B), await compile(2, 1)];
    expect([...layer.carriedStates.keys()]).toEqual([B, 1]);
    const cut = 2 * B * I;
    const twice = async (): Promise<number[]> => {
      const first = await two(x.slice(0, cut));
      await other(x.slice(0, 2 * I));
      return [...first, ...(await three(x.slice(cut)))];
    };
    const whole = await run(executor, (g) => ({ y: stateless.forward(g.input('x', [T, B, I])).output }), {
      x,
    });
    expectEach(whole['y'], await twice());
    layer.resetState(executor);
    expectEach(whole['y'], await twice());
    expect([...(await three(x.slice(cut)))]).not.toEqual([...whole['y']!.slice(2 * B * H)]);
  });

  it('learned initial states are parameters, the same for all sequences, with gradients', async () => {
    const layer = new LSTM({ ...sizes, bidirectional: true, learnedInitialState: true, projSize: 3 });
    const names = [...layer.namedParameters()].slice(-2);
    expect(names.map(([name, { shape }]) => [name, shape])).toEqual([
      ['initial_h', [2, 1, 3]],
      ['initial_c', [2, 1, H]],
    ]);
    const [h, c] = names.map(([, variable]) => variable);
    const values = { h: wave(2 * 3, 5), c: wave(2 * H, 6) };
    executor.write(h!, values.h);
    executor.write(c!, values.c);
    const repeat = (data: Float32Array, width: number): Float32Array =>
      Float32Array.from({ length: 2 * B * width }, (_, i) => {
        return data[Math.floor(i / (B * width)) * width + (i % width)]!;
      });
    const result = await run(
      executor,
      (g) => {
        const input = g.input('x', [T, B, I]);
        const learned = layer.forward(input).output;
        const state = { h: g.input('h', [2, B, 3]), c: g.input('c', [2, B, H]) };
        const given = layer.forward(input, state).output;
        const weights = g.input('weights', learned.shape);
        const [dH, dC] = gradients(sum(mul(learned, weights)), [g.read(h!), g.read(c!)]);
        const [dHs, dCs] = gradients(sum(mul(given, weights)), [state.h, state.c]);
        return {
          learned,
          given,
          dH: dH!,
          dC: dC!,
          dHs: sum(dHs!, { axes: [1] }),
          dCs: sum(dCs!, { axes: [1] }),
        };
      },
      { x, h: repeat(values.h, 3), c: repeat(values.c, H), weights: wave(T * B * 6, 7) },
    );
    expectEach(result['learned'], result['given']!);
    expectEach(result['dH'], result['dHs']!);
    expectEach(result['dC'], result['dCs']!);
    expect(result['dC']!.every((value) => value !== 0)).toBe(true);
  });
});

describe('what the cell is told', () => {
  const attributesOf = (
    layer: LSTM | GRU | RNN,
    training?: boolean,
  ): { attributes: RecurrentAttributes[]; seeds: number } => {
    const graph = new Graph('g');
    const context = training === undefined ? undefined : new ForwardContext(graph, { training });
    layer.forward(graph.input('x', [T, B, I]), undefined, context);
    const nodes = graph.nodes.filter((node) => node.operation.name === 'recurrent');
    return {
      attributes: nodes.map((node) => node.attributes as RecurrentAttributes),
      seeds: nodes.filter((node) => node.inputs[2]).length,
    };
  };

  it('draws masks only while training, others in each layer', () => {
    const layer = new LSTM({ ...sizes, numLayers: 2, zoneout: { c: 0.25 }, recurrentDropout: 0.5 });
    const training = attributesOf(layer, true);
    expect(training.seeds).toBe(2);
    expect(
      training.attributes.map(({ zoneout, recurrentDropout, training: on }) => [
        zoneout,
        recurrentDropout,
        on,
      ]),
    ).toEqual([
      [[0, 0.25], 0.5, true],
      [[0, 0.25], 0.5, true],
    ]);
    expect(new Set(training.attributes.map(({ stream }) => stream)).size).toBe(2);
    for (const evaluation of [attributesOf(layer, false), attributesOf(layer)]) {
      expect(evaluation.seeds).toBe(0);
      expect(evaluation.attributes.map((a) => [a.training, a.zoneout])).toEqual([
        [false, [0, 0.25]],
        [false, [0, 0.25]],
      ]);
    }
    expect(attributesOf(new LSTM({ ...sizes, zoneout: 0.125 })).attributes[0]!.zoneout).toEqual([
      0.125, 0.125,
    ]);
    expect(attributesOf(new GRU({ ...sizes, zoneout: 0 }), true).seeds).toBe(0);
  });

  it('passes every option on', () => {
    const lstm = attributesOf(
      new LSTM({
        ...sizes,
        activation: 'relu',
        gateActivation: 'hardSigmoid',
        cellClip: 3,
        gateClip: 5,
        coupled: true,
        segment: 2,
      }),
    ).attributes[0]!;
    expect(lstm).toMatchObject({
      cell: 'lstm',
      activation: 'relu',
      gateActivation: 'hardSigmoid',
      outputActivation: 'relu',
      cellClip: 3,
      gateClip: 5,
      coupled: true,
      segment: 2,
    });
    const gru = attributesOf(new GRU({ ...sizes, resetAfter: false, activation: 'linear' })).attributes[0]!;
    expect(gru).toMatchObject({ cell: 'gru', resetAfter: false, activation: 'linear' });
    const normal = new LSTM({ ...sizes, layerNorm: true, epsilon: 1e-3 });
    expect(attributesOf(normal).attributes[0]).toMatchObject({ layerNorm: true, epsilon: 1e-3 });
    const norms = [...normal.namedParameters()].slice(4);
    expect(norms.map(([name, v]) => [name, v.shape, [...v.initialValue()].reduce((a, b) => a + b)])).toEqual([
      ['norm_ih_l0', [2, 4 * H], 4 * H],
      ['norm_hh_l0', [2, 4 * H], 4 * H],
      ['norm_c_l0', [2, H], H],
    ]);
    const peephole = new LSTM({ ...sizes, peephole: true }).namedParameters().get('peephole_l0');
    expect(peephole!.shape).toEqual([3, H]);
    expect(attributesOf(new RNN({ ...sizes, nonlinearity: 'sigmoid' })).attributes[0]!.activation).toBe(
      'sigmoid',
    );
  });

  it('segments by √T where a layer would keep more than its budget', () => {
    const segment = (memoryBudget: number) =>
      attributesOf(new GRU({ ...sizes, segment: 'auto', memoryBudget })).attributes[0]!.segment;
    // r, z, n and h of 5 steps and 3 sequences, 4 units and 4 bytes each.
    expect([segment(4 * T * B * 4 * H), segment(4 * T * B * 4 * H - 1)]).toEqual([0, 3]);
    expect(attributesOf(new GRU({ ...sizes, segment: 'auto' })).attributes[0]!.segment).toBe(0);
  });

  it('begins the forget gate where forgetBias says, in all layers', () => {
    const layer = new LSTM({ ...sizes, numLayers: 2, bidirectional: true, forgetBias: 1.5 });
    for (const [name, variable] of layer.namedParameters()) {
      if (!name.startsWith('bias')) continue;
      const values = [...variable.initialValue()];
      const forget = name.startsWith('bias_ih') ? 1.5 : 0;
      expect(values.slice(H, 2 * H)).toEqual(new Array(H).fill(forget));
      expect(values.filter((value) => value === forget).length).toBe(H);
    }
  });
});

describe('refusals', () => {
  const lstm: [object, RegExp][] = [
    [{ bidirectional: 1 }, /lstm "a": bidirectional is 1/],
    [{ bidirectional: true, merge: 'max' }, /merge is "max"; choose one of "concat", "sum", "mul", "ave"/],
    [{ merge: 'sum' }, /merge is given, but there is one direction; set bidirectional/],
    [{ bidirectional: true, goBackwards: true }, /goBackwards is set, but a bidirectional layer/],
    [{ projSize: 4 }, /projSize is 4, hiddenSize 4; project to fewer/],
    [{ projSize: -1 }, /projSize is -1/],
    [{ projSize: 2, layerNorm: true }, /projSize does not go with layerNorm/],
    [{ peephole: true, layerNorm: true }, /peephole does not go with layerNorm/],
    [{ cellClip: 1, layerNorm: true }, /cellClip does not go with layerNorm/],
    [{ cellClip: -1 }, /cellClip is -1/],
    [{ gateClip: Infinity }, /gateClip is Infinity/],
    [{ stateful: true, learnedInitialState: true }, /stateful and learnedInitialState/],
    [{ bias: false, forgetBias: 1 }, /forgetBias is given, but there are no biases/],
    [{ bias: false, biasInit: 'zeros' }, /biasInit is given, but there are no biases/],
    [{ coupled: true, forgetBias: 1 }, /coupled cell has no forget gate/],
    [{ zoneout: 1 }, /zoneout is 1; .*less than 1/],
    [{ zoneout: { h: 0.5, d: 0.5 } }, /zoneout: there is no option "d"; the options are h, c/],
    [{ zoneout: { c: -1 } }, /zoneout of c is -1/],
    [{ recurrentDropout: 1 }, /recurrentDropout is 1/],
    [{ segment: 1.5 }, /segment is 1.5/],
    [{ segment: 4, memoryBudget: 100 }, /memoryBudget is given, but segment is not 'auto'/],
    [{ epsilon: 1e-3 }, /epsilon is given, but layerNorm is not set/],
    [{ activation: 'softsign' }, /activation is "softsign"; choose one of "tanh"/],
    [{ resetAfter: false }, /no option "resetAfter"/],
    [{ weightInit: 'kaiming' }, /lstm "a", weightInit: name is "kaiming"/],
    [{ biasInit: 'orthogonal' }, /biasInit: "orthogonal" is for matrices, the parameter has shape \[16\]/],
  ];
  it.each(lstm)('an LSTM with %j', (options, message) => {
    const make = () => new LSTM({ inputSize: 4, hiddenSize: 4, name: 'a', ...options });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('what only an LSTM has, of the others', () => {
    for (const option of [
      { projSize: 2 },
      { peephole: true },
      { cellClip: 1 },
      { coupled: true },
      { forgetBias: 1 },
    ]) {
      const [name] = Object.keys(option);
      const message = `${name!} is not for a cell "gru"; leave ${name!} out, or use the cell 'lstm'`;
      expect(() => new GRU({ ...sizes, ...option })).toThrow(message);
      expect(() => new RNN({ ...sizes, ...option })).toThrow(ArgumentError);
    }
    expect(() => new GRU({ ...sizes, resetAfter: false, layerNorm: true })).toThrow(
      /resetAfter: false does not go/,
    );
  });

  it('lengths and masks that do not fit, or both', () => {
    const layer = new GRU({ ...sizes, name: 'enc' });
    const g = new Graph('g');
    const input = g.input('x', [T, B, I]);
    const lengths = g.input('lengths', [B], 'int32');
    const mask = g.input('mask', [T, B], 'int32');
    const forward = (options: object) => () => layer.forward(input, undefined, undefined, options);
    expect(forward({ lengths, mask })).toThrow(/gru "enc": both lengths and mask are given; leave one/);
    expect(forward({ lengths: g.input('a', [B]) })).toThrow(
      /lengths is float32\[3\]; pass int32 of shape \[3\]/,
    );
    expect(forward({ lengths: mask })).toThrow(ShapeError);
    expect(forward({ mask: g.input('b', [B, T], 'int32') })).toThrow(
      /mask is int32\[3,5\]; pass int32 of shape \[5,3\], which is \[T,B\]/,
    );
  });

  it('states of a projected layer that have one shape', () => {
    const layer = new LSTM({ ...sizes, projSize: 2, bidirectional: true });
    const g = new Graph('g');
    const wrong = g.input('h', [2, B, H]);
    expect(() => layer.forward(g.input('x', [T, B, I]), { h: wrong, c: wrong })).toThrow(
      /initial h is float32\[2,3,4\]; pass h of shape \[2,3,2\] and c of shape \[2,3,4\]/,
    );
  });
});
