/** The cells as data: gates, states and their order, in PyTorch's names. Their equations live with each executor. */

/** The recurrent cells there are. */
export type CellName = 'rnn' | 'lstm' | 'gru';

/**
 * The functions a cell may apply. `hardSigmoid` is Keras 3's, `clip(x/6 + 1/2, 0, 1)`; `onnxHardSigmoid` is
 * ONNX's with its default slope, `clip(0.2·x + 0.5, 0, 1)`; `linear` changes nothing.
 */
export type ActivationName = 'tanh' | 'sigmoid' | 'relu' | 'linear' | 'hardSigmoid' | 'onnxHardSigmoid';

/** All of {@link ActivationName}. */
export const ACTIVATION_NAMES: readonly ActivationName[] = [
  'tanh',
  'sigmoid',
  'relu',
  'linear',
  'hardSigmoid',
  'onnxHardSigmoid',
];

/** What a recurrent driver must know of a cell. */
export interface CellDescription {
  readonly name: CellName;
  /** The gates, in the order of their row blocks in `weight_ih` and `weight_hh`. */
  readonly gates: readonly string[];
  /** The states carried from step to step; the first is also the output. */
  readonly states: readonly string[];
}

/**
 * Equations as in PyTorch's `nn.RNN`, `nn.LSTM` and `nn.GRU`
 * (https://pytorch.org/docs/stable/nn.html#recurrent-layers), with `a = x·W_ihᵀ + b_ih`, `r = h·W_hhᵀ + b_hh`:
 * - `rnn`: `h' = tanh(a + r)`
 * - `lstm`: `i,f,o = σ(a + r)`, `g = tanh(a_g + r_g)`, `c' = f⊙c + i⊙g`, `h' = o⊙tanh(c')`
 * - `gru`: `r,z = σ(a + r)`, `n = tanh(a_n + r⊙r_n)`, `h' = (1 − z)⊙n + z⊙h`
 *
 * `RecurrentAttributes` says how each can be varied.
 */
export const CELLS: Readonly<Record<CellName, CellDescription>> = {
  rnn: { name: 'rnn', gates: ['h'], states: ['h'] },
  lstm: { name: 'lstm', gates: ['i', 'f', 'g', 'o'], states: ['h', 'c'] },
  gru: { name: 'gru', gates: ['r', 'z', 'n'], states: ['h'] },
};
