/** Drawing tokens, and models that read and write one after another, on the GPU against the reference. */
import type { WeightPrecision } from '../../../src/gpu/device.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { CharacterModel, type CharacterModelOptions } from '../../../src/text/character-model.js';
import type { GpuCase, GpuContext } from '../case.js';
import { compareExecutors, randomArray, randomTokens } from '../compare-executors.js';
import { expectClose } from '../../support/compare.js';
import { roundToFloat16 } from '../../support/float16.js';
import { TOLERANCES } from '../../support/tolerances.js';

interface Settings {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
}

function sampler(graph: Graph, B: number): ops.Sampler {
  return {
    temperature: graph.scalar('temperature'),
    topK: graph.scalar('topK', 'int32'),
    topP: graph.scalar('topP'),
    seeds: graph.input('seeds', [B, 2], 'int32'),
    position: graph.scalar('position', 'int32'),
  };
}

function feedsOf(
  { temperature = 1, topK = 0, topP = 1 }: Settings,
  B: number,
): Record<string, number | Int32Array> {
  return { temperature, topK, topP, seeds: randomTokens(2 * B, 2 ** 31, 9), position: 5 };
}

/** Draws a token a row; rows enough that many tokens come up. */
function drawing(name: string, V: number, settings: Settings, logits?: Float32Array): GpuCase {
  const B = logits ? logits.length / V : V > 500 ? 20 : 40;
  return {
    name: `draws of ${V}: ${name}`,
    run: (context) =>
      compareExecutors(
        context,
        (graph) => {
          graph.output('tokens', ops.drawTokens(graph.input('logits', [B, V]), sampler(graph, B)));
        },
        {
          feeds: { ...feedsOf(settings, B), logits: logits ?? randomArray(B * V, 3, -4, 4) },
          tolerance: TOLERANCES.exact,
        },
      ),
  };
}

const SETTINGS: readonly [string, Settings][] = [
  ['as they are', {}],
  ['hot', { temperature: 30 }],
  ['cold', { temperature: 0.05 }],
  ['temperature 0', { temperature: 0 }],
  ['top 1', { topK: 1, temperature: 5 }],
  ['top 3', { topK: 3, temperature: 2 }],
  ['half of the probability', { topP: 0.5 }],
  ['next to nothing of the probability', { topP: 1e-6 }],
  ['nearly all of the probability', { topP: 0.9999 }],
  ['top 7, nine tenths', { topK: 7, topP: 0.9, temperature: 0.7 }],
];

/** Four values over and over: of equals the lower token comes first. */
const ties = (B: number, V: number): Float32Array =>
  Float32Array.from({ length: B * V }, (_, i) => [1, -0, 0, 2, 0.5][(i % V) % 5]!);

const draws: readonly GpuCase[] = [
  ...[1, 2, 65, 257, 1000].flatMap((V) => SETTINGS.map(([name, settings]) => drawing(name, V, settings))),
  ...[5, 64, 301].flatMap((V) => [
    drawing('equals, temperature 0', V, { temperature: 0 }, ties(10, V)),
    drawing('equals, top 2', V, { topK: 2, temperature: 9 }, ties(40, V)),
    drawing('equals, top 33', V, { topK: 33, temperature: 9 }, ties(40, V)),
    drawing('equals, a third', V, { topP: 0.34, temperature: 3 }, ties(40, V)),
    drawing('all equal, top 3', V, { topK: 3 }, new Float32Array(40 * V)),
  ]),
  drawing('all but impossible', 4, {}, Float32Array.of(3e38, -3e38, 0, 1, -3e38, 3e38, 3e38, 2)),
  drawing('cut, of 20,000', 20_000, { topK: 40, topP: 0.9 }, randomArray(60_000, 4, -9, 9)),
  {
    name: 'a logit that is not finite gives -1',
    async run({ executor }) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const graph = new Graph('draw');
        const logits = graph.input('logits', [2, 70]);
        graph.output('tokens', ops.drawTokens(logits, sampler(graph, 2)));
        const plan = await executor.compile(graph);
        const numbers = new Float32Array(140);
        numbers[139] = bad;
        const feeds = { ...feedsOf({ topK: 3, topP: 0.5 }, 2), logits: numbers };
        const { outputs } = await plan.run(feeds, { read: ['tokens'] });
        plan.dispose();
        const [first, second] = outputs['tokens']!;
        if (first! < 0 || second !== -1) throw new Error(`with ${bad} drew ${first}, ${second}`);
      }
    },
  },
];

interface Sizes {
  readonly cell: ops.CellName;
  readonly V: number;
  readonly E: number;
  readonly H: number;
  readonly L: number;
  readonly B: number;
  readonly length: number;
  readonly bias?: boolean;
  readonly tied?: boolean;
  readonly relu?: boolean;
}

/** Reads a prompt and writes on, with states and token carried from run to run. */
function writing(
  sizes: Sizes,
  settings: Settings = {},
  weightPrecision: WeightPrecision = 'float32',
): GpuCase {
  const { cell, V, E, H, L, B, length, bias = true, tied = false, relu = false } = sizes;
  const options = Object.entries({ bias, tied, relu }).filter(([name, on]) => on !== (name === 'bias'));
  const name = [
    `${cell} ${L}×${H}, V ${V}, E ${E}, B ${B}, ${length} tokens`,
    ...options.map(([option, on]) => `${option} ${on}`),
    ...Object.entries(settings).map(([option, value]) => `${option} ${value}`),
    ...(weightPrecision === 'float16' ? ['weights of float16'] : []),
  ].join(', ');
  return {
    name,
    run: async (context) => {
      const halved = weightPrecision === 'float16';
      const executor = halved ? await halfOn(context) : context.executor;
      const G = ops.CELLS[cell].gates.length;
      let seed = 20;
      const create = (what: string, shape: readonly number[], bound = 1): Variable => {
        const numbers = randomArray(
          shape.reduce((a, b) => a * b, 1),
          seed++,
          -bound,
          bound,
        );
        // What rounding does is another case's affair: these it leaves as they are, so that the same numbers come out.
        const initial = halved ? numbers.map(roundToFloat16) : numbers;
        return new Variable({ name: what, shape, initial: () => initial });
      };
      const table = create('table', [V, E]);
      const outputWeight = tied ? table : create('output', [V, H], 0.5);
      const outputBias = create('output bias', [V]);
      const layers = Array.from({ length: L }, (_, l) => ({
        weightIh: create(`ih${l}`, [G * H, l === 0 ? E : H], 0.3),
        weightHh: create(`hh${l}`, [G * H, H], 0.3),
        biasIh: create(`bih${l}`, [G * H]),
        biasHh: create(`bhh${l}`, [G * H]),
      }));
      const states = ops.CELLS[cell].states.map((state) => [state, create(state, [L, B, H])] as const);
      const token = new Variable({ name: 'token', shape: [B], dtype: 'int32' });
      await compareExecutors(
        { ...context, executor },
        (graph) => {
          const of = (variable: Variable): Value => graph.read(variable);
          const network = {
            cell,
            activation: relu ? ('relu' as const) : ('tanh' as const),
            table: of(table),
            layers: layers.map(({ weightIh, weightHh, biasIh, biasHh }) => ({
              weightIh: of(weightIh),
              weightHh: of(weightHh),
              ...(bias && { biasIh: of(biasIh), biasHh: of(biasHh) }),
            })),
          };
          const given = Object.fromEntries(states.map(([state, variable]) => [state, of(variable)]));
          const read = ops.readTokens({ ...network, states: given }, graph.input('prompt', [3, B], 'int32'));
          const { tokens, states: finals } = ops.writeTokens({
            ...network,
            states: read,
            token: of(token),
            length,
            outputWeight: of(outputWeight),
            outputBias: bias ? of(outputBias) : null,
            sampler: sampler(graph, B),
          });
          graph.output('tokens', tokens);
          for (const [state, variable] of states) graph.update(variable, finals[state]!);
          graph.update(token, ops.reshape(ops.slice(tokens, [length - 1, 0], [1, B]), [B]));
        },
        { feeds: { ...feedsOf(settings, B), prompt: randomTokens(3 * B, V, 6) }, runs: 2 },
      );
    },
  };
}

const models: readonly GpuCase[] = [
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => [
    writing({ cell, V: 1, E: 1, H: 1, L: 1, B: 1, length: 2 }),
    writing({ cell, V: 13, E: 5, H: 7, L: 1, B: 1, length: 6 }),
    writing({ cell, V: 65, E: 16, H: 68, L: 2, B: 3, length: 5 }, { temperature: 0.8, topK: 9 }),
    writing({ cell, V: 70, E: 6, H: 10, L: 3, B: 70, length: 3, bias: false }),
    writing({ cell, V: 40, E: 12, H: 12, L: 1, B: 2, length: 5, tied: true }, { temperature: 0 }),
    // The logits have a dispatch of their own, and the table of products would be too large.
    writing({ cell, V: 17_000, E: 9, H: 64, L: 2, B: 2, length: 3 }, { topP: 0.8 }),
  ]),
  writing({ cell: 'rnn', V: 13, E: 5, H: 7, L: 2, B: 2, length: 4, relu: true }),
  writing({ cell: 'lstm', V: 17_000, E: 9, H: 62, L: 2, B: 2, length: 2 }, {}, 'float16'),
  writing({ cell: 'gru', V: 13, E: 5, H: 7, L: 2, B: 3, length: 3 }, {}, 'float16'),
  writing({ cell: 'rnn', V: 13, E: 5, H: 68, L: 1, B: 3, length: 3 }, {}, 'float16'),
];

/** Another executor on the same device, so that what is compiled there need not be again. */
function halfOn({ executor: { device } }: GpuContext): Promise<GpuExecutor> {
  return GpuExecutor.create({ device, weightPrecision: 'float16' });
}

/** A relu network without inputs: from a state of a single one it comes to a column of its weights. */
const rounding: GpuCase = {
  name: 'weights of float16 are the nearest there are',
  async run(context) {
    const executor = await halfOn(context);
    const columns = async (H: number, weights: Float32Array): Promise<ArrayLike<number>> => {
      const graph = new Graph('rounding');
      const B = 2 * H;
      const { h } = ops.readTokens(
        {
          cell: 'rnn',
          activation: 'relu',
          table: graph.input('table', [1, 1]),
          layers: [{ weightIh: graph.input('ih', [H, 1]), weightHh: graph.input('hh', [H, H]) }],
          states: { h: graph.input('h', [1, B, H]) },
        },
        graph.input('tokens', [1, B], 'int32'),
      );
      graph.output('columns', h!);
      const ones = new Float32Array(B * H);
      for (let k = 0; k < H; k++) {
        ones[k * H + k] = 1;
        ones[(H + k) * H + k] = -1;
      }
      const feeds = {
        table: new Float32Array(1),
        ih: new Float32Array(H),
        hh: weights,
        h: ones,
        tokens: new Int32Array(B),
      };
      const { outputs } = await (await executor.compile(graph)).run(feeds, { read: ['columns'] });
      return outputs['columns']!;
    };
    const H = 20;
    // Those that are to be above all: smallest and largest, and beside the middle of two neighbours.
    const edges = [2 ** -14, 65504, 65520, 1e30, 2 ** -24, 1e-40].flatMap((x) => [x, x * (1 - 2 ** -24)]);
    const middles = [1, 3, 5, 2047, 4095].map((odd) => 1 + odd / 2048);
    const beside = middles.flatMap((x) => [x, x + 2 ** -23, x - 2 ** -23, 40 * x, x / 4096]);
    const special = [0, ...edges, ...beside].flatMap((x) => [x, -x]);
    const weights = randomArray(H * H, 8, -2, 2);
    weights.set(special);
    const wanted = Float32Array.from({ length: 2 * H * H }, (_, i) => {
      const [row, unit] = [Math.floor(i / H), i % H];
      const rounded = roundToFloat16(weights[unit * H + (row % H)]!);
      return Math.max(0, row < H ? rounded : -rounded);
    });
    expectClose(await columns(H, weights), wanted, TOLERANCES.exact, 'columns');
    const [infinite] = Array.from(await columns(1, Float32Array.of(Infinity)));
    if (infinite !== Infinity) throw new Error(`infinity has become ${infinite}`);
    executor.dispose();
  },
};

const TEXT = 'the quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!\n'.repeat(
  4,
);

async function collect(texts: AsyncIterable<string | readonly string[]>): Promise<string[]> {
  const written: string[] = [];
  for await (const characters of texts) {
    const list = typeof characters === 'string' ? [characters] : characters;
    list.forEach((character, i) => (written[i] = (written[i] ?? '') + character));
  }
  return written;
}

function modelCase(name: string, options: Partial<CharacterModelOptions>): GpuCase {
  return {
    name: `a character model writes the same text on both: ${name}`,
    async run({ executor, reference }) {
      const settings = {
        prompt: 'the quick',
        length: 150,
        temperature: 0.9,
        topK: 20,
        topP: 0.95,
        seed: 2 ** 40,
      };
      const sizes = { text: TEXT, hiddenSize: 24, embeddingSize: 12, seed: 4, ...options };
      const cpu = reference();
      const expected = CharacterModel.create({ ...sizes, executor: cpu });
      const actual = CharacterModel.create({ ...sizes, executor });
      const [wanted] = await collect(expected.generate(settings));
      const [got] = await collect(actual.generate(settings));
      if (got !== wanted) throw new Error(`wrote ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
      const batch = await collect(actual.generateBatch({ ...settings, samples: 3 }));
      const single = await collect(actual.generate({ ...settings, seed: settings.seed + 2 }));
      if (batch[0] !== wanted || batch[2] !== single[0])
        throw new Error(`a batch wrote ${JSON.stringify(batch)}`);
      actual.dispose();
      cpu.dispose();
    },
  };
}

export const cases: readonly GpuCase[] = [
  ...draws,
  ...models,
  rounding,
  modelCase('lstm', {}),
  modelCase('gru of two layers', { cell: 'gru', numLayers: 2 }),
  modelCase('relu rnn', { cell: 'rnn', nonlinearity: 'relu' }),
];
