/** `RecurrentCell`: one layer of one direction, called step by step. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { checkOptions } from '../graph/options.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { checkValue, type Value, type Variable } from '../graph/value.js';
import { broadcastTo } from '../ops/broadcast.js';
import { CELLS } from '../ops/cells.js';
import { fill } from '../ops/fill.js';
import type { RecurrentAttributes } from '../ops/recurrent-attributes.js';
import { recurrent } from '../ops/recurrent.js';
import { reshape } from '../ops/reshape.js';
import { slice } from '../ops/slice.js';
import { Module } from './module.js';
import { nameParameters, PARAMETER_NAMES, type DirectionParameters } from './recurrent-parameters.js';

/** What a cell is made of. */
export interface RecurrentCellParts {
  readonly attributes: RecurrentAttributes;
  /** Features of each state. */
  readonly stateWidths: readonly number[];
  readonly parameters: DirectionParameters;
  /** Learned initial states by name, `[L,1,·]`, and whose of them is the cell's. */
  readonly initial: ReadonlyMap<string, { readonly variable: Variable; readonly layer: number }>;
  readonly name: string;
}

type States = Readonly<Record<string, Value>>;

/**
 * A recurrent layer's equations for one step. Parameters are named as those of PyTorch's cells: `weight_ih`,
 * `weight_hh`, `bias_ih`, `bias_hh`. It acts as in evaluation: masks of zoneout and recurrent dropout, which
 * must be the same for whole sequences, are drawn by layers alone.
 */
export class RecurrentCell<State extends object> extends Module {
  readonly inputSize: number;
  readonly #parts: RecurrentCellParts;

  /** Use `createCell` of a recurrent layer, or one of the cells that have a name. */
  constructor(kind: string, parts: RecurrentCellParts) {
    super(kind, parts.name);
    this.#parts = parts;
    for (const [key, variable] of parts.parameters) this.shareParameter(PARAMETER_NAMES[key], variable);
    for (const [name, { variable }] of parts.initial) this.shareParameter(`initial_${name}`, variable);
    this.inputSize = parts.parameters.get('weightIh')!.shape[1]!;
  }

  /**
   * One step.
   * @param x `[B,inputSize]`
   * @param state the states before it, `[B,·]` each; {@link initialState} by default
   * @param weights what {@link readWeights} gave, for the body of a `scan`, where variables cannot be read;
   * `state` must be given then
   * @returns the states after it; `h` is also the output
   * @throws ShapeError when a shape does not fit
   */
  step(x: Value, state?: State | null, weights?: readonly Value[]): State {
    const { attributes, parameters, initial } = this.#parts;
    const { inputSize, culprit } = this;
    checkValue(culprit, 'input', x);
    if (x.dtype !== 'float32' || x.shape.length !== 2 || x.shape[1] !== inputSize) {
      throw new ShapeError({
        culprit,
        problem: `input is ${x.dtype}${formatShape(x.shape)}`,
        remedy: `pass real numbers of shape [B,${inputSize}]`,
      });
    }
    const { graph } = x;
    const batch = x.shape[0]!;
    const values = weights ?? this.readWeights(graph);
    if (values.length !== parameters.size) {
      throw new ArgumentError({
        culprit,
        problem: `got ${values.length} weights`,
        remedy: `pass the ${parameters.size} that readWeights gave`,
      });
    }
    const begin = state
      ? this.#checkState(state, batch)
      : initial.size > 0
        ? this.#learned(graph, batch)
        : null;
    const { states } = CELLS[attributes.cell];
    const { finalStates } = recurrent({
      ...attributes,
      ...nameParameters(parameters, values),
      initialStates: states.map((name) => begin?.[name] ?? null),
      x: reshape(x, [1, batch, inputSize]),
      label: this.label,
    });
    const entries = states.map((name, s) => [name, finalStates[s]!] as const);
    return Object.fromEntries(entries) as States as unknown as State;
  }

  /** The states that a sequence begins with: learned ones, or zeros. */
  initialState(graph: Graph, batchSize: number): State {
    const { attributes, stateWidths, initial } = this.#parts;
    const states =
      initial.size > 0
        ? this.#learned(graph, batchSize)
        : Object.fromEntries(
            CELLS[attributes.cell].states.map((name, s) => [
              name,
              fill(graph, [batchSize, stateWidths[s]!], 0),
            ]),
          );
    return states as unknown as State;
  }

  /** The weights as values of a graph, to be handed to a `scan` among its `consts`. */
  readWeights(graph: Graph): Value[] {
    return [...this.#parts.parameters.values()].map((variable) => graph.read(variable));
  }

  #learned(graph: Graph, batch: number): States {
    const entries = [...this.#parts.initial].map(([name, { variable, layer }]): [string, Value] => {
      const [count, , width] = variable.shape as readonly [number, number, number];
      const all = graph.read(variable);
      const own = count === 1 ? all : slice(all, [layer, 0, 0], [1, 1, width]);
      return [name, broadcastTo(reshape(own, [1, width]), [batch, width])];
    });
    return Object.fromEntries(entries);
  }

  #checkState(state: State, batch: number): States {
    const { attributes, stateWidths } = this.#parts;
    const { states } = CELLS[attributes.cell];
    const given = state as unknown as States;
    checkOptions(`${this.culprit}, state`, given, states);
    states.forEach((name, s) => {
      const value = given[name];
      if (value) checkValue(this.culprit, name, value);
      const wanted = [batch, stateWidths[s]!];
      if (value && sameShape(value.shape, wanted) && value.dtype === 'float32') return;
      throw new ShapeError({
        culprit: this.culprit,
        problem: value ? `${name} is ${value.dtype}${formatShape(value.shape)}` : `${name} is missing`,
        remedy: `pass ${name} of shape ${formatShape(wanted)}, which is [B,${s === 0 ? 'R' : 'H'}]`,
      });
    });
    return given;
  }
}
