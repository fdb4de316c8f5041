/** The recurrent layers `RNN`, `LSTM` and `GRU`: one driver for any number of layers of any cell. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkOptions, checkWhole, nameOf } from '../graph/options.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import { checkValue, Variable, type Value } from '../graph/value.js';
import { add, mul } from '../ops/binary.js';
import { broadcastTo } from '../ops/broadcast.js';
import type { CellDescription, CellName } from '../ops/cells.js';
import { concat, stack } from '../ops/concat.js';
import { drawsMasks } from '../ops/recurrent-attributes.js';
import { recurrent } from '../ops/recurrent.js';
import { mean, sum } from '../ops/reduce-sum.js';
import { reshape } from '../ops/reshape.js';
import { sequenceMask } from '../ops/sequence-mask.js';
import { slice } from '../ops/slice.js';
import { transpose } from '../ops/transpose.js';
import { CarriedState } from './carried-state.js';
import { checkContext, ForwardContext } from './context.js';
import { applyDropout } from './dropout.js';
import { Module } from './module.js';
import { RecurrentCell } from './recurrent-cell.js';
import {
  resolveRecurrentOptions,
  type AnyRecurrentOptions,
  type GRUOptions,
  type LSTMOptions,
  type RecurrentConfig,
  type RNNOptions,
} from './recurrent-options.js';
import { createParameters, readParameters, zeros, type DirectionParameters } from './recurrent-parameters.js';

export { CarriedState } from './carried-state.js';

/** The state of an {@link RNN} or {@link GRU}. */
export interface HiddenState {
  /** `[L·D,B,H]`: layer by layer, in each forward before reverse. Of a cell, `[B,H]`. */
  readonly h: Value;
}

/** The state of an {@link LSTM}. */
export interface LSTMState {
  /** `[L·D,B,R]`, R being H unless there is a projection: layer by layer, in each forward before reverse. Of a cell, `[B,R]`. */
  readonly h: Value;
  /** The cell state, `[L·D,B,H]`. Of a cell, `[B,H]`. */
  readonly c: Value;
}

/** What a recurrent layer gives. */
export interface RecurrentResult<State> {
  /**
   * The last layer's output at each step, `[T,B,outputSize]` (`[B,T,outputSize]` with `batchFirst`), or its
   * last, `[B,outputSize]`, with `returnSequences: false`.
   */
  readonly output: Value;
  /** The states after each sequence's last step. Nothing is computed for those that nobody uses. */
  readonly state: State;
}

/** Which steps of each sequence count. Those that do not leave the states as they are and give zeros. */
export interface SequenceOptions {
  /**
   * int32 `[B]`, each from 1 to T: the first steps count, as in PyTorch's packed sequences; a reverse
   * direction begins at each sequence's own end.
   */
  readonly lengths?: Value | undefined;
  /** int32 `[T,B]` (`[B,T]` with `batchFirst`): the steps count where it is not 0, as in Keras. */
  readonly mask?: Value | undefined;
}

type States = Readonly<Record<string, Value>>;

/**
 * What the recurrent layers share. Parameters have PyTorch's names and layouts: `weight_ih_l0` [G·H,I],
 * `weight_hh_l0` [G·H,R], `bias_ih_l0` and `bias_hh_l0` [G·H], `weight_hr_l0` [R,H] for each layer, and the
 * same with `_reverse` for the second direction; all begun U(±1/√H) unless options say otherwise.
 */
export abstract class RecurrentLayer<State extends object> extends Module {
  readonly cell: CellDescription;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly dropout: number;
  /** D: 2 for a bidirectional layer, else 1. */
  readonly numDirections: number;
  /** Features of the output. */
  readonly outputSize: number;
  readonly #config: RecurrentConfig;
  /** Layer by layer, in each forward before reverse. */
  readonly #parameters: readonly DirectionParameters[];
  readonly #learned: ReadonlyMap<string, Variable>;
  /** The states of a stateful layer by batch size. */
  readonly #carried = new Map<number, CarriedState<State>>();

  /** @throws ArgumentError for an option out of range or unknown, or options that do not go together */
  constructor(cell: CellName, options: AnyRecurrentOptions) {
    super(cell, nameOf(cell, options));
    const config = resolveRecurrentOptions(this.culprit, cell, options);
    this.#config = config;
    this.cell = config.cell;
    this.inputSize = config.inputSize;
    this.hiddenSize = config.hiddenSize;
    this.numLayers = config.numLayers;
    this.dropout = config.dropout;
    this.numDirections = config.attributes.directions.length;
    this.outputSize = config.outputSize;
    const places = Array.from({ length: this.numLayers * this.numDirections }, (_, i) => ({
      layer: Math.floor(i / this.numDirections),
      direction: i % this.numDirections,
    }));
    this.#parameters = places.map((place) =>
      createParameters(this.culprit, config, place, (...of) => this.addParameter(...of)),
    );
    this.#learned = new Map(config.learnedInitialState ? this.#createStates('initial_', 1, true) : []);
  }

  /**
   * Runs the layers over a batch of sequences.
   * @param x `[T,B,inputSize]`, or `[B,T,inputSize]` with `batchFirst`
   * @param state the states before the first step, each `[L·D,B,·]`; zeros, or what `stateful` or
   * `learnedInitialState` say, by default and for `null`
   * @param context that of the recording; dropout and zoneout draw masks only with one that trains, and throw where
   * the graph has one that they were not given
   * @param sequences `lengths` or `mask`, where sequences differ in length; both are data, so that others
   * need no new plan
   * @throws ShapeError when a shape does not fit, ArgumentError when both lengths and mask are given
   */
  forward(
    x: Value,
    state?: State | null,
    context?: ForwardContext,
    sequences: SequenceOptions = {},
  ): RecurrentResult<State> {
    this.#checkInput(x);
    checkOptions(`${this.culprit}, forward`, sequences, ['lengths', 'mask']);
    const { batchFirst, returnSequences, stateful, attributes } = this.#config;
    const { graph } = x;
    const chance = drawsMasks({ ...attributes, training: true }) || (this.dropout > 0 && this.numLayers > 1);
    checkContext(this.culprit, graph, context, chance);
    let sequence = batchFirst ? transpose(x, [1, 0, 2]) : x;
    const [steps, batch] = sequence.shape as readonly [number, number, number];
    const mask = this.#mask(sequences, steps, batch);
    const carried = stateful ? this.#carriedState(batch) : null;
    const initial = state
      ? this.#checkState(state, batch)
      : ((carried?.read(graph) as States | undefined) ?? this.#learnedState(graph, batch));
    const finals: Value[][] = this.cell.states.map(() => []);
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0) {
        sequence = applyDropout(sequence, this.dropout, context, `${this.label}.dropout${layer - 1}`);
      }
      const result = this.#runLayer(sequence, layer, initial, mask, context);
      result.finalStates.forEach((final, i) => finals[i % finals.length]!.push(final));
      sequence = this.#merge(result.output);
    }
    const entries = this.cell.states.map((name, s) => [name, this.#join(finals[s]!)] as const);
    const final = Object.fromEntries(entries) as States as unknown as State;
    carried?.update(graph, final);
    const output = !returnSequences
      ? this.#mergeLast(finals[0]!.slice(-this.numDirections))
      : batchFirst
        ? transpose(sequence, [1, 0, 2])
        : sequence;
    return { output, state: final };
  }

  #runLayer(
    x: Value,
    layer: number,
    initial: States | null,
    mask: Value | null,
    context: ForwardContext | undefined,
  ): { output: Value; finalStates: Value[] } {
    const { attributes } = this.#config;
    const training = context?.training ?? false;
    const draws = drawsMasks({ ...attributes, training });
    const [first, second] = this.#parameters
      .slice(layer * this.numDirections, (layer + 1) * this.numDirections)
      .map((parameters, d) => ({
        ...readParameters(x.graph, parameters),
        initialStates: this.cell.states.map(
          (name) => initial && this.#part(initial[name]!, layer * this.numDirections + d),
        ),
      }));
    return recurrent({
      ...attributes,
      ...first!,
      ...(second && { reverse: second }),
      direction: attributes.directions[0]!,
      x,
      mask,
      training,
      seed: draws ? context!.dropoutSeed() : null,
      stream: draws ? context!.nextStream() : 0,
      segment: this.#segment(x.shape),
      label: this.numLayers === 1 ? this.label : `${this.label}.l${layer}`,
    });
  }

  /** Steps in a segment of recomputation; 0 where everything is kept. */
  #segment([steps, batch]: Shape): number {
    const { segment, memoryBudget, stateWidths, hiddenSize, cell } = this.#config;
    if (segment !== 'auto') return segment;
    const words = cell.gates.length * hiddenSize + stateWidths.reduce((total, width) => total + width, 0);
    const bytes = 4 * steps! * batch! * this.numDirections * words;
    return bytes > memoryBudget ? Math.ceil(Math.sqrt(steps!)) : 0;
  }

  /** The layer's output of its directions' `[T,B,D·R]`. */
  #merge(output: Value): Value {
    const { merge } = this.#config;
    if (this.numDirections === 1 || merge === 'concat') return output;
    const [steps, batch, features] = output.shape as readonly [number, number, number];
    const width = features / 2;
    if (merge === 'mul') {
      const half = (begin: number): Value => slice(output, [0, 0, begin], [steps, batch, width]);
      return mul(half(0), half(width));
    }
    const pairs = reshape(output, [steps, batch, 2, width]);
    return merge === 'sum' ? sum(pairs, { axes: [2] }) : mean(pairs, { axes: [2] });
  }

  /** The same of the last h of each direction, `[B,R]`. */
  #mergeLast(last: readonly Value[]): Value {
    const [first, second] = last as [Value, Value?];
    if (!second) return first;
    switch (this.#config.merge) {
      case 'concat':
        return concat([first, second], 1);
      case 'sum':
        return add(first, second);
      case 'mul':
        return mul(first, second);
      case 'ave':
        return mean(stack([first, second]), { axes: [0] });
    }
  }

  #mask({ lengths, mask }: SequenceOptions, steps: number, batch: number): Value | null {
    const { culprit } = this;
    const { batchFirst } = this.#config;
    if (lengths && mask) {
      throw new ArgumentError({
        culprit,
        problem: 'both lengths and mask are given',
        remedy: 'leave one of them out',
      });
    }
    const check = (name: string, value: Value, wanted: Shape, letters: string): void => {
      checkValue(culprit, name, value);
      if (value.dtype === 'int32' && sameShape(value.shape, wanted)) return;
      throw new ShapeError({
        culprit,
        problem: `${name} is ${value.dtype}${formatShape(value.shape)}`,
        remedy: `pass int32 of shape ${formatShape(wanted)}, which is [${letters}]`,
      });
    };
    if (lengths) {
      check('lengths', lengths, [batch], 'B');
      return sequenceMask(lengths, steps, this.label);
    }
    if (!mask) return null;
    check('mask', mask, batchFirst ? [batch, steps] : [steps, batch], batchFirst ? 'B,T' : 'T,B');
    return batchFirst ? transpose(mask, [1, 0]) : mask;
  }

  /** One `[B,·]` of `[L·D,B,·]`. A single one needs only another shape, which costs a device nothing. */
  #part(state: Value, index: number): Value {
    const [count, batch, width] = state.shape as readonly [number, number, number];
    const part = count === 1 ? state : slice(state, [index, 0, 0], [1, batch, width]);
    return reshape(part, [batch, width]);
  }

  /** `[L·D,B,·]` of all `[B,·]`. */
  #join(states: readonly Value[]): Value {
    const first = states[0]!;
    return states.length === 1 ? reshape(first, [1, ...first.shape]) : stack(states, 0);
  }

  #checkInput(x: Value): void {
    const { culprit, inputSize } = this;
    checkValue(culprit, 'input', x);
    const problem =
      x.dtype !== 'float32'
        ? `input is ${x.dtype}`
        : x.shape.length !== 3
          ? `input has shape ${formatShape(x.shape)}`
          : x.shape[2] !== inputSize
            ? `input has ${x.shape[2]} features, inputSize is ${inputSize}`
            : null;
    if (problem === null) return;
    const wanted = this.#config.batchFirst ? `[B,T,${inputSize}]` : `[T,B,${inputSize}]`;
    throw new ShapeError({ culprit, problem, remedy: `pass real numbers of shape ${wanted}` });
  }

  /** Shape of state `s`. */
  #stateShape(s: number, batch: number): Shape {
    return [this.numLayers * this.numDirections, batch, this.#config.stateWidths[s]!];
  }

  #checkState(state: State, batch: number): States {
    const { culprit, cell } = this;
    const given = state as unknown as States;
    if (Array.isArray(given) || state instanceof ForwardContext) {
      throw new ArgumentError({
        culprit,
        problem: 'state is a list or context',
        remedy: 'call forward(x, { h, … } or null, context)',
      });
    }
    checkOptions(`${culprit}, state`, given, cell.states);
    const shapes = cell.states.map((_, s) => this.#stateShape(s, batch));
    const remedy = shapes.every((shape) => sameShape(shape, shapes[0]!))
      ? `pass ${cell.states.join(' and ')} of shape ${formatShape(shapes[0]!)}`
      : `pass ${cell.states.map((name, s) => `${name} of shape ${formatShape(shapes[s]!)}`).join(' and ')}`;
    const meaning = this.numDirections === 1 ? '[numLayers,B,·]' : '[numLayers·2,B,·]';
    cell.states.forEach((name, s) => {
      const value = given[name];
      if (value) checkValue(culprit, `initial ${name}`, value);
      if (value && sameShape(value.shape, shapes[s]!) && value.dtype === 'float32') return;
      throw new ShapeError({
        culprit,
        problem: value
          ? `initial ${name} is ${value.dtype}${formatShape(value.shape)}`
          : `initial ${name} is missing`,
        remedy: `${remedy}, which is ${meaning}`,
      });
    });
    return given;
  }

  /** Learned states, the same for all sequences of the batch. */
  #learnedState(graph: Graph, batch: number): States | null {
    if (this.#learned.size === 0) return null;
    const entries = [...this.#learned].map(([name, variable]): [string, Value] => {
      const [count, , width] = variable.shape as readonly [number, number, number];
      return [name, broadcastTo(graph.read(variable), [count, batch, width])];
    });
    return Object.fromEntries(entries);
  }

  /** A variable a state, by the state's name. */
  #createStates(prefix: string, batch: number, parameters = false): (readonly [string, Variable])[] {
    return this.cell.states.map((name, s) => {
      const shape = this.#stateShape(s, batch);
      const variable = parameters
        ? this.addParameter(prefix + name, shape, zeros(shape))
        : new Variable({ name: prefix + name, shape });
      return [name, variable];
    });
  }

  /** Variables that carry the states from run to run, for truncated backpropagation through time. */
  createState(batchSize: number): CarriedState<State> {
    checkWhole(this.culprit, 'batchSize', batchSize, 1);
    const variables = this.#createStates(`${this.label}.`, batchSize);
    return new CarriedState<State>(this.culprit, new Map(variables));
  }

  #carriedState(batch: number): CarriedState<State> {
    let carried = this.#carried.get(batch);
    if (!carried) {
      carried = this.createState(batch);
      this.#carried.set(batch, carried);
    }
    return carried;
  }

  /** What a stateful layer carries, by batch size; a batch size appears when it is first recorded. */
  get carriedStates(): ReadonlyMap<number, CarriedState<State>> {
    return this.#carried;
  }

  /** Lets the next run of a stateful layer begin from zeros, after all runs queued so far. */
  resetState(executor: Executor): void {
    for (const carried of this.#carried.values()) carried.reset(executor);
  }

  /**
   * The cell of one layer, to be called step by step, for decoders and agents. It has the layer's own
   * parameters: what either learns, the other knows.
   * @param layer from 0
   * @throws ArgumentError when there is no such layer, or it is bidirectional
   */
  createCell(layer = 0): RecurrentCell<State> {
    checkWhole(this.culprit, 'layer', layer, 0);
    if (layer >= this.numLayers) {
      throw new ArgumentError({
        culprit: this.culprit,
        problem: `layer is ${layer}`,
        remedy: `pass a whole number below numLayers, ${this.numLayers}`,
      });
    }
    if (this.numDirections > 1) {
      throw new ArgumentError({
        culprit: this.culprit,
        problem: 'is bidirectional: its reverse direction begins with the last step',
        remedy: 'take the cell of a layer with one direction',
      });
    }
    const { attributes, stateWidths } = this.#config;
    return new RecurrentCell<State>(`${this.kind} cell`, {
      attributes,
      stateWidths,
      parameters: this.#parameters[layer]!,
      initial: new Map([...this.#learned].map(([name, variable]) => [name, { variable, layer }])),
      name: this.name && this.numLayers > 1 ? `${this.name}.l${layer}` : this.name,
    });
  }
}

/**
 * Elman's network, as PyTorch's `nn.RNN`: `h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh)`, or with another
 * nonlinearity.
 */
export class RNN extends RecurrentLayer<HiddenState> {
  constructor(options: RNNOptions) {
    super('rnn', options);
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber, 1997), as PyTorch's `nn.LSTM`: gates i,f,g,o,
 * `c' = f⊙c + i⊙g`, `h' = o⊙tanh(c')`.
 */
export class LSTM extends RecurrentLayer<LSTMState> {
  constructor(options: LSTMOptions) {
    super('lstm', options);
  }
}

/**
 * Gated recurrent unit (Cho et al., 2014), as PyTorch's `nn.GRU`: gates r,z,n, the reset applied after
 * the recurrent product, `h' = (1 − z)⊙n + z⊙h`.
 */
export class GRU extends RecurrentLayer<HiddenState> {
  constructor(options: GRUOptions) {
    super('gru', options);
  }
}
