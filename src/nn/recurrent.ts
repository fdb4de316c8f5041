/** The recurrent layers `RNN`, `LSTM` and `GRU`: one driver for any number of layers of any cell. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkChoice, checkFlag, checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { Variable, type Value } from '../graph/value.js';
import { CELLS, type ActivationName, type CellDescription, type CellName } from '../ops/cells.js';
import { stack } from '../ops/concat.js';
import { recurrent } from '../ops/recurrent.js';
import { reshape } from '../ops/reshape.js';
import { slice } from '../ops/slice.js';
import type { ForwardContext } from './context.js';
import { applyDropout } from './dropout.js';
import { uniform } from './initializers.js';
import { Module } from './module.js';
import { randomSeed } from './random.js';

/** Options of all recurrent layers. */
export interface RecurrentOptions {
  /** I: features of the input. */
  readonly inputSize: number;
  /** H: features of the output and of each state. */
  readonly hiddenSize: number;
  /** L: layers, each reading the output of the one below. Default 1. */
  readonly numLayers?: number;
  /** Whether there are biases. Default `true`. */
  readonly bias?: boolean;
  /** Probability of dropout on the output of each layer but the last, while training. Default 0. */
  readonly dropout?: number;
  /** For messages and listings. */
  readonly name?: string;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/** Options of an {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** The state of an {@link RNN} or {@link GRU}. */
export interface HiddenState {
  /** [L,B,H] */
  readonly h: Value;
}

/** The state of an {@link LSTM}. */
export interface LSTMState {
  /** [L,B,H] */
  readonly h: Value;
  /** The cell state, [L,B,H]. */
  readonly c: Value;
}

/** What a recurrent layer gives. */
export interface RecurrentResult<State> {
  /** The last layer's output at each step, [T,B,H]. */
  readonly output: Value;
  /** The states after the last step. */
  readonly state: State;
}

type States = Readonly<Record<string, Value>>;

const OPTION_NAMES = ['inputSize', 'hiddenSize', 'numLayers', 'bias', 'dropout', 'name', 'seed'];

/** A layer's four parameters. */
interface LayerParameters {
  readonly weightIh: Variable;
  readonly weightHh: Variable;
  readonly biasIh: Variable | null;
  readonly biasHh: Variable | null;
}

/**
 * What the recurrent layers share. Parameters have PyTorch's names and layouts: `weight_ih_l0` [G·H,I],
 * `weight_hh_l0` [G·H,H], `bias_ih_l0` and `bias_hh_l0` [G·H] for each layer, all begun U(±1/√H).
 */
export abstract class RecurrentLayer<State extends object> extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly dropout: number;
  readonly cell: CellDescription;
  readonly #activation: ActivationName;
  readonly #layers: readonly LayerParameters[];

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(
    kind: string,
    cell: CellName,
    options: RecurrentOptions,
    moreOptions: readonly string[] = [],
    activation: ActivationName = 'tanh',
  ) {
    super(kind, options.name);
    checkOptions(this.culprit, options, [...OPTION_NAMES, ...moreOptions]);
    const { inputSize, hiddenSize, numLayers = 1, bias = true, dropout = 0, seed = randomSeed() } = options;
    checkWhole(this.culprit, 'inputSize', inputSize, 1);
    checkWhole(this.culprit, 'hiddenSize', hiddenSize, 1);
    checkWhole(this.culprit, 'numLayers', numLayers, 1);
    checkFlag(this.culprit, 'bias', bias);
    checkNumber(this.culprit, 'dropout', dropout, { min: 0, below: 1 });
    checkWhole(this.culprit, 'seed', seed, 0);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.dropout = dropout;
    this.cell = CELLS[cell];
    this.#activation = activation;
    this.#layers = Array.from({ length: numLayers }, (_, layer) => this.#createLayer(layer, bias, seed));
  }

  #createLayer(layer: number, bias: boolean, seed: number): LayerParameters {
    const { inputSize, hiddenSize } = this;
    const rows = this.cell.gates.length * hiddenSize;
    const add = (name: string, shape: readonly number[], index: number): Variable => {
      const size = shape.reduce((product, dimension) => product * dimension, 1);
      const initial = uniform(size, 1 / Math.sqrt(hiddenSize), seed, 4 * layer + index);
      return this.addParameter(`${name}_l${layer}`, shape, initial);
    };
    return {
      weightIh: add('weight_ih', [rows, layer === 0 ? inputSize : hiddenSize], 0),
      weightHh: add('weight_hh', [rows, hiddenSize], 1),
      biasIh: bias ? add('bias_ih', [rows], 2) : null,
      biasHh: bias ? add('bias_hh', [rows], 3) : null,
    };
  }

  /**
   * Runs the layers over a sequence.
   * @param x `[T,B,inputSize]`
   * @param state the states before the first step, [L,B,H] each; zeros by default
   * @param context that of the recording; dropout acts only with one that trains
   * @returns the output `[T,B,H]` and the states after the last step, `[L,B,H]` each
   * @throws ShapeError when a shape does not fit
   */
  forward(x: Value, state?: State, context?: ForwardContext): RecurrentResult<State> {
    this.#checkInput(x);
    const initial = state === undefined ? null : this.#checkState(state, x.shape[1]!);
    const finals: Value[][] = this.cell.states.map(() => []);
    let output = x;
    this.#layers.forEach((parameters, layer) => {
      if (layer > 0)
        output = applyDropout(output, this.dropout, context, `${this.label}.dropout${layer - 1}`);
      const result = this.#runLayer(output, parameters, layer, initial);
      output = result.output;
      result.finalStates.forEach((final, s) => finals[s]!.push(final));
    });
    const entries = this.cell.states.map((name, s) => [name, this.#join(finals[s]!)] as const);
    return { output, state: Object.fromEntries(entries) as States as unknown as State };
  }

  #runLayer(
    x: Value,
    parameters: LayerParameters,
    layer: number,
    initial: States | null,
  ): { output: Value; finalStates: Value[] } {
    const { graph } = x;
    const { weightIh, weightHh, biasIh, biasHh } = parameters;
    return recurrent({
      cell: this.cell.name,
      activation: this.#activation,
      x,
      weightIh: graph.read(weightIh),
      weightHh: graph.read(weightHh),
      biasIh: biasIh && graph.read(biasIh),
      biasHh: biasHh && graph.read(biasHh),
      initialStates: this.cell.states.map((name) => initial && this.#part(initial[name]!, layer)),
      label: this.numLayers === 1 ? this.label : `${this.label}.l${layer}`,
    });
  }

  /** One layer's [B,H] of [L,B,H]. A single layer needs only another shape, which costs a device nothing. */
  #part(state: Value, layer: number): Value {
    const [, batch, hidden] = state.shape as readonly [number, number, number];
    const part = this.numLayers === 1 ? state : slice(state, [layer, 0, 0], [1, batch, hidden]);
    return reshape(part, [batch, hidden]);
  }

  /** [L,B,H] of the layers' [B,H]. */
  #join(states: readonly Value[]): Value {
    const first = states[0]!;
    return states.length === 1 ? reshape(first, [1, ...first.shape]) : stack(states, 0);
  }

  #checkInput(x: Value): void {
    const { culprit, inputSize } = this;
    const problem =
      x.dtype !== 'float32'
        ? `input is ${x.dtype}`
        : x.shape.length !== 3
          ? `input has shape ${formatShape(x.shape)}`
          : x.shape[2] !== inputSize
            ? `input has ${x.shape[2]} features, inputSize is ${inputSize}`
            : null;
    if (problem === null) return;
    throw new ShapeError({ culprit, problem, remedy: `pass real numbers of shape [T,B,${inputSize}]` });
  }

  #checkState(state: State, batch: number): States {
    const { culprit, cell, numLayers, hiddenSize } = this;
    const given = state as unknown as States;
    checkOptions(`${culprit}, state`, given, cell.states);
    const wanted = [numLayers, batch, hiddenSize];
    for (const name of cell.states) {
      const value = given[name];
      if (value && sameShape(value.shape, wanted) && value.dtype === 'float32') continue;
      throw new ShapeError({
        culprit,
        problem: value
          ? `initial ${name} is ${value.dtype}${formatShape(value.shape)}`
          : `initial ${name} is missing`,
        remedy: `pass ${cell.states.join(' and ')} of shape ${formatShape(wanted)}, which is [numLayers,B,hiddenSize]`,
      });
    }
    return given;
  }

  /** Variables that carry the states from run to run, for truncated backpropagation through time. */
  createState(batchSize: number): CarriedState<State> {
    checkWhole(this.culprit, 'batchSize', batchSize, 1);
    const shape = [this.numLayers, batchSize, this.hiddenSize];
    const variables = this.cell.states.map(
      (name) => [name, new Variable({ name: `${this.label}.${name}`, shape })] as const,
    );
    return new CarriedState<State>(this.culprit, new Map(variables));
  }
}

/** States that stay on the device from run to run: one variable a state, [L,B,H], begun as zeros. */
export class CarriedState<State extends object> {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #culprit: string;

  /** Use {@link RecurrentLayer.createState}. */
  constructor(culprit: string, variables: ReadonlyMap<string, Variable>) {
    this.#culprit = culprit;
    this.variables = variables;
  }

  /** The states as a run finds them: constants, through which no gradient reaches the run before. */
  read(graph: Graph): State {
    const entries = [...this.variables].map(([name, variable]) => [name, graph.read(variable)] as const);
    return Object.fromEntries(entries) as unknown as State;
  }

  /** Lets the next run begin where this one ends. */
  update(graph: Graph, state: State): void {
    for (const [name, variable] of this.variables) {
      const value = (state as unknown as States)[name];
      if (!value) {
        throw new ArgumentError({
          culprit: this.#culprit,
          problem: `the new ${name} is missing`,
          remedy: `pass ${[...this.variables.keys()].join(' and ')}`,
        });
      }
      graph.update(variable, value);
    }
  }

  /** Sets the states to zero, after all runs queued so far. */
  reset(executor: Executor): void {
    for (const variable of this.variables.values()) executor.write(variable, new Float32Array(variable.size));
  }
}

/** Elman's network, as PyTorch's `nn.RNN`: `h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh)`, or with relu. */
export class RNN extends RecurrentLayer<HiddenState> {
  constructor(options: RNNOptions) {
    const { nonlinearity = 'tanh' } = options;
    const culprit = options.name ? `rnn "${options.name}"` : 'rnn';
    checkChoice(culprit, 'nonlinearity', nonlinearity, ['tanh', 'relu']);
    super('rnn', 'rnn', options, ['nonlinearity'], nonlinearity);
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber, 1997), as PyTorch's `nn.LSTM`: gates i,f,g,o,
 * `c' = f⊙c + i⊙g`, `h' = o⊙tanh(c')`.
 */
export class LSTM extends RecurrentLayer<LSTMState> {
  constructor(options: RecurrentOptions) {
    super('lstm', 'lstm', options);
  }
}

/**
 * Gated recurrent unit (Cho et al., 2014), as PyTorch's `nn.GRU`: gates r,z,n, the reset applied after
 * the recurrent product, `h' = (1 − z)⊙n + z⊙h`.
 */
export class GRU extends RecurrentLayer<HiddenState> {
  constructor(options: RecurrentOptions) {
    super('gru', 'gru', options);
  }
}
