/** The parameters of recurrent layers: names, shapes and first values, one set a layer and direction. */
import type { Graph } from '../graph/graph.js';
import { sizeOf, type Shape } from '../graph/shape.js';
import type { Value, Variable } from '../graph/value.js';
import type { RecurrentParameters } from '../ops/recurrent.js';
import { constant, createInitializer, uniform, type Initializer } from './initializers.js';
import type { RecurrentConfig } from './recurrent-options.js';

/** What `recurrent` calls the parameters. */
export type ParameterKey = Exclude<keyof RecurrentParameters, 'initialStates'>;

/** The parameters of one layer in one direction; those it does not have are missing. */
export type DirectionParameters = ReadonlyMap<ParameterKey, Variable>;

/** PyTorch's names, and in its manner those of what it does not have. */
export const PARAMETER_NAMES: Readonly<Record<ParameterKey, string>> = {
  weightIh: 'weight_ih',
  weightHh: 'weight_hh',
  biasIh: 'bias_ih',
  biasHh: 'bias_hh',
  weightHr: 'weight_hr',
  peephole: 'peephole',
  normIh: 'norm_ih',
  normHh: 'norm_hh',
  normC: 'norm_c',
};

/** The option that says how a parameter begins. */
const INITS: Readonly<Partial<Record<ParameterKey, keyof RecurrentConfig['inits']>>> = {
  weightIh: 'weightInit',
  weightHh: 'recurrentInit',
  biasIh: 'biasInit',
  biasHh: 'biasInit',
  weightHr: 'weightInit',
};

/** Creates the parameters of one layer in one direction, in PyTorch's order. */
export function createParameters(
  culprit: string,
  config: RecurrentConfig,
  place: { readonly layer: number; readonly direction: number },
  add: (name: string, shape: Shape, initial: Initializer) => Variable,
): DirectionParameters {
  const suffix = `_l${place.layer}${place.direction === 1 ? '_reverse' : ''}`;
  const parameters = new Map<ParameterKey, Variable>();
  for (const [index, [key, shape]] of parameterShapes(config, place.layer).entries()) {
    const initial = initialOf(culprit, config, key, shape, streamOf(place, index));
    parameters.set(key, add(PARAMETER_NAMES[key] + suffix, shape, initial));
  }
  return parameters;
}

/** The values of the parameters in a graph. */
export function readParameters(graph: Graph, parameters: DirectionParameters): RecurrentParameters {
  return nameParameters(
    parameters,
    [...parameters.values()].map((variable) => graph.read(variable)),
  );
}

/** Values in the order of the parameters, under the names `recurrent` has for them. */
export function nameParameters(
  parameters: DirectionParameters,
  values: readonly Value[],
): RecurrentParameters {
  // Every direction has the two weights, so the record is whole.
  return Object.fromEntries(
    [...parameters.keys()].map((key, i) => [key, values[i]!]),
  ) as unknown as RecurrentParameters;
}

function parameterShapes(
  config: RecurrentConfig,
  layer: number,
): readonly (readonly [ParameterKey, Shape])[] {
  const { cell, hiddenSize, bias, projSize, peephole, attributes, inputSize, outputSize } = config;
  const rows = cell.gates.length * hiddenSize;
  const candidates: readonly (readonly [ParameterKey, Shape, boolean])[] = [
    ['weightIh', [rows, layer === 0 ? inputSize : outputSize], true],
    ['weightHh', [rows, projSize || hiddenSize], true],
    ['biasIh', [rows], bias],
    ['biasHh', [rows], bias],
    ['weightHr', [projSize, hiddenSize], projSize > 0],
    ['peephole', [3, hiddenSize], peephole],
    ['normIh', [2, rows], attributes.layerNorm],
    ['normHh', [2, rows], attributes.layerNorm],
    ['normC', [2, hiddenSize], attributes.layerNorm && cell.name === 'lstm'],
  ];
  return candidates.filter(([, , has]) => has).map(([key, shape]) => [key, shape]);
}

/** A stream of random numbers for each parameter. */
function streamOf({ layer, direction }: { layer: number; direction: number }, index: number): number {
  const family = direction + 2 * Math.floor(index / 4);
  return family * 2 ** 24 + 4 * layer + (index % 4);
}

function initialOf(
  culprit: string,
  config: RecurrentConfig,
  key: ParameterKey,
  shape: Shape,
  stream: number,
): Initializer {
  const { seed, cell, hiddenSize, inits, forgetBias } = config;
  if (key === 'normIh' || key === 'normHh' || key === 'normC') {
    return () => new Float32Array(sizeOf(shape)).fill(1, 0, shape[1]);
  }
  const name = INITS[key];
  const option = name && inits[name];
  const blocks = key === 'weightHr' ? 1 : cell.gates.length;
  const initial = option
    ? createInitializer(culprit, name, option, { shape, seed, stream, blocks })
    : uniform(sizeOf(shape), 1 / Math.sqrt(hiddenSize), seed, stream);
  if (forgetBias === null || (key !== 'biasIh' && key !== 'biasHh')) return initial;
  const begin = cell.gates.indexOf('f') * hiddenSize;
  return () => initial().fill(key === 'biasIh' ? forgetBias : 0, begin, begin + hiddenSize);
}

/** The initializer of learned initial states. */
export function zeros(shape: Shape): Initializer {
  return constant(sizeOf(shape), 0);
}
