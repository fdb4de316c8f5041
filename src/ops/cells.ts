/** The cells as data: gates, states and their order, in PyTorch's names. Their equations live with each executor. */

/** The recurrent cells there are. */
export type CellName = 'rnn_tanh' | 'rnn_relu' | 'lstm' | 'gru';

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
 * - `rnn_tanh`, `rnn_relu`: `h' = tanh(a + r)`, `h' = max(0, a + r)`
 * - `lstm`: `i,f,o = σ(a + r)`, `g = tanh(a_g + r_g)`, `c' = f⊙c + i⊙g`, `h' = o⊙tanh(c')`
 * - `gru`: `r,z = σ(a + r)`, `n = tanh(a_n + r⊙r_n)`, `h' = (1 − z)⊙n + z⊙h`
 */
export const CELLS: Readonly<Record<CellName, CellDescription>> = {
  rnn_tanh: { name: 'rnn_tanh', gates: ['h'], states: ['h'] },
  rnn_relu: { name: 'rnn_relu', gates: ['h'], states: ['h'] },
  lstm: { name: 'lstm', gates: ['i', 'f', 'g', 'o'], states: ['h', 'c'] },
  gru: { name: 'gru', gates: ['r', 'z', 'n'], states: ['h'] },
};
