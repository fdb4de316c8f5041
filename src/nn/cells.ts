/** `RNNCell`, `LSTMCell` and `GRUCell`: cells with parameters of their own, as PyTorch's of the same names. */
import { ArgumentError } from '../graph/errors.js';
import { nameOf } from '../graph/options.js';
import { Variable } from '../graph/value.js';
import type { CellName } from '../ops/cells.js';
import type { HiddenState, LSTMState } from './recurrent.js';
import { RecurrentCell, type RecurrentCellParts } from './recurrent-cell.js';
import {
  resolveRecurrentOptions,
  type GRUOptions,
  type LSTMOptions,
  type RNNOptions,
} from './recurrent-options.js';
import { createParameters, zeros } from './recurrent-parameters.js';

/** What makes a layer of cells; a cell itself has none of it. */
const LAYER_OPTIONS = [
  'numLayers',
  'dropout',
  'bidirectional',
  'merge',
  'batchFirst',
  'returnSequences',
  'goBackwards',
  'stateful',
  'recurrentDropout',
  'zoneout',
  'segment',
  'memoryBudget',
] as const;

/** A layer's options as far as a cell has them. */
export type CellOptions<Options> = Omit<Options, (typeof LAYER_OPTIONS)[number]>;

/** Options of an {@link RNNCell}. */
export type RNNCellOptions = CellOptions<RNNOptions>;

/** Options of an {@link LSTMCell}. */
export type LSTMCellOptions = CellOptions<LSTMOptions>;

/** Options of a {@link GRUCell}. */
export type GRUCellOptions = CellOptions<GRUOptions>;

/** One step of an `RNN`. */
export class RNNCell extends RecurrentCell<HiddenState> {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: RNNCellOptions) {
    super('rnn cell', createParts('rnn', options));
  }
}

/** One step of an `LSTM`. */
export class LSTMCell extends RecurrentCell<LSTMState> {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: LSTMCellOptions) {
    super('lstm cell', createParts('lstm', options));
  }
}

/** One step of a `GRU`. */
export class GRUCell extends RecurrentCell<HiddenState> {
  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: GRUCellOptions) {
    super('gru cell', createParts('gru', options));
  }
}

function createParts(
  cell: CellName,
  options: RNNCellOptions | LSTMCellOptions | GRUCellOptions,
): RecurrentCellParts {
  const name = nameOf(`${cell} cell`, options);
  const culprit = name ? `${cell} cell "${name}"` : `${cell} cell`;
  for (const option of LAYER_OPTIONS) {
    if (!(option in options)) continue;
    throw new ArgumentError({
      culprit,
      problem: `${option} is for layers`,
      remedy: `leave it out, or make a layer and call its createCell`,
    });
  }
  const config = resolveRecurrentOptions(culprit, cell, options);
  const full = (own: string): string => (name ? `${name}.${own}` : own);
  const parameters = createParameters(culprit, config, { layer: 0, direction: 0 }, (own, shape, initial) => {
    return new Variable({ name: full(own.replace(/_l0$/, '')), shape, initial });
  });
  const initial = config.learnedInitialState
    ? config.cell.states.map((state, s) => {
        const shape = [1, 1, config.stateWidths[s]!];
        const variable = new Variable({ name: full(`initial_${state}`), shape, initial: zeros(shape) });
        return [state, { variable, layer: 0 }] as const;
      })
    : [];
  return {
    attributes: config.attributes,
    stateWidths: config.stateWidths,
    parameters,
    initial: new Map(initial),
    name,
  };
}
