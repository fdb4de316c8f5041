/** `generate`: a recurrent language model that reads tokens, or writes them and reads what it wrote. */
import { ShapeError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import { defineOperation } from '../graph/operation.js';
import { checkSize, formatShape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { CELLS, type CellName } from './cells.js';
import { apply, checkCount, checkRank, checkSameShape, present, typed } from './check.js';
import { stack } from './concat.js';
import { embedding } from './embedding.js';
import { linear } from './linear.js';
import { recurrent } from './recurrent.js';
import { checkCell } from './recurrent-attributes.js';
import { reshape } from './reshape.js';
import { checkSampler, drawTokens, samplerInputs, type Sampler } from './sample-token.js';
import { slice } from './slice.js';

/** Attributes of {@link generateOperation}. */
export interface GenerateAttributes {
  readonly cell: CellName;
  /** Of the rnn cell. */
  readonly activation: 'tanh' | 'relu';
  /** T: tokens to read or to write. */
  readonly length: number;
  /** L. */
  readonly numLayers: number;
  /** Whether tokens are drawn, or else only read. */
  readonly writes: boolean;
  /**
   * One step: the graph that the operation stands for. Inputs `token` [B], `h` and `c` [L,B,H], the other inputs
   * of the operation by their names; outputs `h`, `c` and, where it writes, `token`.
   */
  readonly body: Graph;
}

/** The inputs that are not a layer's, in the operation's order. */
const COMMON = [
  'token',
  'temperature',
  'topK',
  'topP',
  'seeds',
  'position',
  'table',
  'outputWeight',
  'outputBias',
] as const;

/** The inputs of a layer. */
const LAYER = ['weightIh', 'weightHh', 'biasIh', 'biasHh'] as const;

/** The inputs' names in the operation's order; those of a layer are followed by its number, from 0. */
export function generateInputNames(cell: CellName, numLayers: number): string[] {
  const layers = Array.from({ length: numLayers }, (_, l) => LAYER.map((name) => `${name}${l}`));
  return [...COMMON, ...CELLS[cell].states, ...layers.flat()];
}

/** The inputs by name, as values, arrays, or whatever stands in the list; absent ones are left out. */
export function generateInputs<T>(
  inputs: readonly (T | null)[],
  { cell, numLayers }: Pick<GenerateAttributes, 'cell' | 'numLayers'>,
): ReadonlyMap<string, T> {
  const names = generateInputNames(cell, numLayers);
  return new Map(inputs.flatMap((input, i) => (input === null ? [] : [[names[i]!, input] as const])));
}

/**
 * `[token, temperature|null, topK|null, topP|null, seeds|null, position|null, table[V,E],
 * outputWeight[V,H]|null, outputBias[V]|null, h[L,B,H], …other states, then for each layer weightIh[G·H,I],
 * weightHh[G·H,H], biasIh[G·H]|null, biasHh[G·H]|null] → [h, …other states, tokens int32[T,B] where it writes]`.
 *
 * Each step is a row of the table, the layers, and, where it writes, logits from the last layer's h and a token
 * drawn from them, which the next step reads: `token` [B] is what the first step reads, and the tokens drawn are
 * those of `sampleToken` at `position`, `position + 1`, … Where it only reads, `token` is `[T,B]`, and the inputs
 * that draw are absent.
 */
export const generateOperation = defineOperation<GenerateAttributes>({
  name: 'generate',
  infer(inputs, attributes, culprit) {
    const { cell, length, numLayers, writes } = attributes;
    checkCell(culprit, cell);
    checkSize(culprit, 'length', length);
    checkCount(culprit, inputs, generateInputNames(cell, numLayers).length);
    const at = (name: string): number => generateInputNames(cell, numLayers).indexOf(name);
    const table = typed(culprit, inputs, at('table'), 'table');
    checkRank(culprit, 'table', table, 2, 'V,E');
    const [V, E] = table.shape as readonly [number, number];
    const h = typed(culprit, inputs, at('h'), 'h');
    checkRank(culprit, 'h', h, 3, 'L,B,H');
    const [L, B, H] = h.shape as readonly [number, number, number];
    if (L !== numLayers) {
      throw new ShapeError({
        culprit,
        problem: `h has shape ${formatShape(h.shape)}, there are ${numLayers} layers`,
        remedy: 'pass one state a layer',
      });
    }
    const check = (name: string, shape: readonly number[], letters: string, optional = false): void => {
      if (optional && !inputs[at(name)]) return;
      checkSameShape(culprit, name, typed(culprit, inputs, at(name), name), shape, letters);
    };
    const G = CELLS[cell].gates.length;
    for (let l = 0; l < L; l++) {
      check(`weightIh${l}`, [G * H, l === 0 ? E : H], `${G}·H,${l === 0 ? 'E' : 'H'}`);
      check(`weightHh${l}`, [G * H, H], `${G}·H,H`);
      check(`biasIh${l}`, [G * H], `${G}·H`, true);
      check(`biasHh${l}`, [G * H], `${G}·H`, true);
    }
    for (const state of CELLS[cell].states) check(state, h.shape, 'L,B,H');
    const token = typed(culprit, inputs, 0, 'token', 'int32');
    checkSameShape(culprit, 'token', token, writes ? [B] : [length, B], writes ? 'B' : 'T,B');
    const states = CELLS[cell].states.map((): ValueSpec => ({ shape: h.shape, dtype: 'float32' }));
    if (!writes) return states;
    checkSampler(culprit, inputs, at('temperature'), B);
    present(culprit, inputs, at('outputWeight'), 'outputWeight');
    check('outputWeight', [V, H], 'V,H');
    check('outputBias', [V], 'V', true);
    return [...states, { shape: [length, B], dtype: 'int32' }];
  },
  gradient: 'zero',
});

/** The weights of one recurrent layer. */
export interface GenerateLayer {
  /** `[G·H,I]` */
  readonly weightIh: Value;
  /** `[G·H,H]` */
  readonly weightHh: Value;
  /** `[G·H]` */
  readonly biasIh?: Value | null;
  /** `[G·H]` */
  readonly biasHh?: Value | null;
}

/** The network that {@link readTokens} and {@link writeTokens} run. */
export interface GenerateNetwork {
  readonly cell: CellName;
  /** Of the rnn cell. Default `tanh`. */
  readonly activation?: 'tanh' | 'relu';
  /** `[V,E]` */
  readonly table: Value;
  readonly layers: readonly GenerateLayer[];
  /** `[L,B,H]` each, by the names of the cell's states. */
  readonly states: Readonly<Record<string, Value>>;
}

/** What {@link writeTokens} takes besides. */
export interface WriteTokensInputs extends GenerateNetwork {
  /** int32 `[B]`: what is read first. */
  readonly token: Value;
  /** How many to write. */
  readonly length: number;
  /** `[V,H]` */
  readonly outputWeight: Value;
  /** `[V]` */
  readonly outputBias?: Value | null;
  readonly sampler: Sampler;
}

/** The states after the last step. */
type States = Readonly<Record<string, Value>>;

/**
 * Lets a network read tokens, one a step.
 * @param tokens int32 `[T,B]`
 * @returns the states after the last
 */
export function readTokens(network: GenerateNetwork, tokens: Value, label = ''): States {
  const given = new Map<string, Value>([['token', tokens]]);
  return record(network, given, { length: tokens.shape[0] ?? 0, writes: false }, label).states;
}

/**
 * Lets a network write tokens, each drawn from its logits and read by the next step.
 * @returns the tokens, int32 `[T,B]`, and the states after the last step, which has not read the last token yet
 */
export function writeTokens(inputs: WriteTokensInputs, label = ''): { tokens: Value; states: States } {
  const { token, outputWeight, outputBias = null, sampler, length } = inputs;
  const given = new Map<string, Value>([
    ['token', token],
    ['outputWeight', outputWeight],
  ]);
  samplerInputs(sampler).forEach((value, i) => value && given.set(COMMON[1 + i]!, value));
  if (outputBias) given.set('outputBias', outputBias);
  const { states, tokens } = record(inputs, given, { length, writes: true }, label);
  return { tokens: tokens!, states };
}

function record(
  network: GenerateNetwork,
  given: Map<string, Value>,
  { length, writes }: { readonly length: number; readonly writes: boolean },
  label: string,
): { states: States; tokens: Value | undefined } {
  const { cell, activation = 'tanh', table, layers, states } = network;
  const numLayers = layers.length;
  given.set('table', table);
  for (const [name, value] of Object.entries(states)) given.set(name, value);
  layers.forEach((layer, l) => {
    for (const name of LAYER) if (layer[name]) given.set(`${name}${l}`, layer[name]);
  });
  const inputs = generateInputNames(cell, numLayers).map((name) => given.get(name) ?? null);
  const body = recordStep({ cell, activation, numLayers, writes }, given, label);
  const outputs = apply(
    generateOperation,
    inputs,
    { cell, activation, length, numLayers, writes, body },
    label,
  );
  const names = CELLS[cell].states;
  return {
    states: Object.fromEntries(names.map((name, s) => [name, outputs[s]!])),
    tokens: outputs[names.length],
  };
}

/** One step by operations that each do one thing. */
function recordStep(
  { cell, activation, numLayers, writes }: Omit<GenerateAttributes, 'body' | 'length'>,
  given: ReadonlyMap<string, Value>,
  label: string,
): Graph {
  const graph = new Graph(`${label || 'generate'} step`);
  const values = new Map<string, Value>();
  const [L, B, H] = given.get('h')?.shape as readonly [number, number, number];
  for (const [name, value] of given) {
    const shape = name === 'token' ? [B] : value.shape;
    values.set(name, graph.input(name, shape, value.dtype === 'int32' ? 'int32' : 'float32'));
  }
  const of = (name: string): Value => values.get(name)!;
  const table = of('table');
  let x = reshape(embedding(table, of('token'), label), [1, B, table.shape[1]!]);
  const names = CELLS[cell].states;
  const finals = names.map((): Value[] => []);
  for (let l = 0; l < numLayers; l++) {
    const { output, finalStates } = recurrent({
      cell,
      activation,
      x,
      weightIh: of(`weightIh${l}`),
      weightHh: of(`weightHh${l}`),
      biasIh: values.get(`biasIh${l}`) ?? null,
      biasHh: values.get(`biasHh${l}`) ?? null,
      initialStates: names.map((name) => reshape(slice(of(name), [l, 0, 0], [1, B, H]), [B, H])),
      label,
    });
    finalStates.forEach((state, s) => finals[s]!.push(state));
    x = output;
  }
  names.forEach((name, s) =>
    graph.output(name, L === 1 ? reshape(finals[s]![0]!, [1, B, H]) : stack(finals[s]!)),
  );
  if (writes) {
    const logits = linear(reshape(x, [B, H]), of('outputWeight'), values.get('outputBias') ?? null, label);
    const sampler = {
      temperature: of('temperature'),
      topK: values.get('topK') ?? null,
      topP: values.get('topP') ?? null,
      seeds: of('seeds'),
      position: of('position'),
    };
    graph.output('token', drawTokens(logits, sampler, label));
  }
  return graph;
}
