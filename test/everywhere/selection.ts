/**
 * What `npm test` runs on each implementation; `npm run test:all` runs everything. Together the cases run every
 * kernel but those of sixteen rows, which is tested, in as few compiled pipelines as can be: compiling is what takes
 * the time.
 */

/** By file of `test/gpu/cases/`: names, or all of them. */
export const SELECTED_CASES: Readonly<Record<string, readonly string[] | 'all'>> = {
  'frozen.ts': ['lstm tanh, V 5, E 3, H 64, L 2', 'lstm tanh, V 67, E 65, H 131, L 1, weights of float16'],
  'generate.ts': [
    'gru 1×1, V 1, E 1, B 1, 2 tokens',
    'lstm 2×64, V 17000, E 9, B 2, 3 tokens, topP 0.8',
    'rnn 1×1, V 1, E 1, B 1, 2 tokens',
    'lstm 2×62, V 17000, E 9, B 2, 2 tokens, weights of float16',
    'gru 2×7, V 13, E 5, B 3, 3 tokens, weights of float16',
    'weights of float16 are the nearest there are',
  ],
  'loop-limits.ts': [
    'a product of [1,239985] and [239985,1]',
    'sums over 60001 rows of 16',
    'a draw with both cuts from as many tokens as there may be',
    'cross-entropy of as many classes as there may be in 32 rows',
    'CTC [15000,1,2], 1 labels, one step more',
    'CTC [9000,1,3], 40 labels, states for several turns of a lane',
    'lstm, T6500 B1 I1 H1',
    'rnn, T14000 B1 I1 H1, gradients false, readsFinals false',
    'gru, T5000 B5 I1 H1, gradients false, readsFinals false',
  ],
  'losses.ts': ['correctTopK of a score that is no number'],
  'operations.ts': ['matmul [7,1,18]·[7,18,33]'],
  'optimizers.ts': [
    'Adadelta, three updates',
    'Adagrad, three updates',
    'Adamax, three updates',
    'Lion, three updates',
    'NAdam, three updates',
    'RMSprop, three updates',
  ],
  'plans.ts': ['five training steps with the state carried agree with the reference'],
  'recurrent-norm.ts': [
    'gru, T2 B9 I13 H17, layerNorm true, initial [false], readsOutput false',
    'gru, T5 B3 I4 H8, layerNorm true, gateClip 0.5',
    'lstm, T5 B3 I4 H8, layerNorm true, gateClip 0.5',
    'rnn, T5 B3 I4 H8, layerNorm true',
    'rnn, T5 B3 I4 H8, layerNorm true, gateClip 0.5',
  ],
  'recurrent-persistent.ts': [
    'gru, T7 B5 I3 H5, directions ["forward","reverse"], lengths [2,5,1,3]',
    'lstm, T7 B5 I3 H5, directions ["forward","reverse"], lengths [2,5,1,3]',
    'rnn, T7 B5 I3 H5, directions ["forward","reverse"], lengths [2,5,1,3]',
    'lstm, T7 B2 I1 H7, readsOutput false, gradients false, initial [false,false]',
    'rnn, T7 B2 I1 H7, readsOutput false, gradients false, initial [false,false]',
  ],
  'recurrent-tiles.ts': [
    'recurrent_backward: lstm of 20, a batch of 1',
    'recurrent_backward: rnn of 40, a batch of 8',
    'recurrent_forward: lstm of 5 projected to 6 with clipped gates, a batch of 3',
    'recurrent_backward: lstm of 5 projected to 6 with clipped gates, a batch of 3',
    'recurrent_forward: gru with the reset before of 6 with clipped gates, a batch of 3',
    'recurrent_backward: gru with the reset before of 6 with clipped gates, a batch of 3',
  ],
  'recurrent.ts': [
    'gru, T1 B1 I1 H1, resetAfter false',
    'gru, T3 B2 I5 H7, zoneout [0.3], training false',
    'gru, T5 B3 I4 H8, resetAfter false',
    'gru, T5 B3 I4 H8, zoneout [0.3], training true',
    'gru, T7 B4 I3 H6, resetAfter false, segment 2, zoneout [0.3], recurrentDropout 0.3, training true, lengths [7,2,4,1], directions ["forward","reverse"]',
    'lstm, T3 B2 I5 H7, zoneout [0.3,0.2], training false',
    'lstm, T4 B2 I5 H9 R6, initial [false,false], bias false',
    'lstm, T4 B3 I5 H9 R6, peephole true, zoneout [0.1,0.5], training true',
    'rnn, T3 B2 I5 H7, zoneout [0.3], training false',
    'rnn, T5 B3 I4 H8, zoneout [0.3], training true',
  ],
  'short-training.ts': 'all',
  'stacks.ts': ['stack: cell lstm, layers 4, T 24, B 8, H 4, lengths [24,3,9], dropout 0.2, vocabulary 5'],
  'trap-faults.ts': 'all',
  'token-tables.ts': ['an lstm with layer normalization'],
  'training.ts': [
    'a model: interrupted and resumed, history and weights are the same to the bit',
    'gathered gradients in groups: losses, weights and averages as on the reference',
  ],
  'variants.ts': [
    'gradient of a table [1,1] from 1 tokens',
    'gradient of a table [300,6] from 9 tokens',
    'matmul [16,16]·[16,16]',
    'matmul [3,17,13]·[3,66,13]ᵀ',
  ],
};

/**
 * Kernels that compute sixteen rows at a time take 5 to 40 seconds each to compile on lavapipe, as long as all others
 * together: `npm test` leaves them to Chromium, where the project `gpu` runs every case.
 */
export const SIXTEEN_ROW_KERNELS = /^recurrent_.*_16(_options)?$/;

/** Those whose invocations load for one another, which takes subgroups. */
export const SUBGROUP_KERNELS = /_together_/;

/** Of the golden files beside the project, a few of each family. */
export const SELECTED_GOLDEN_FILES: ReadonlySet<string> = new Set([
  'ctc.safetensors',
  'gru-lengths.safetensors',
  'lstm-2layer-bidirectional.safetensors',
  'lstm-proj.safetensors',
  'lstm-saturated.safetensors',
  'rnn-relu-2layer.safetensors',
  'train-gru-sgd.safetensors',
  'train-lstm-adam.safetensors',
  'train-rnn-rmsprop.safetensors',
]);

/** Cases that ask for an optional feature, which a constrained adapter has not. */
export const NEEDS_FEATURES: ReadonlySet<string> = new Set(['on the clock of the device']);

/** Files whose cases count dispatches, bytes or submits, which traps add to, or make plans by other ways. */
export const COUNTING_FILES: ReadonlySet<string> = new Set([
  'broken-shaders.ts',
  'long-runs.ts',
  'plans.ts',
  'profile.ts',
  'self-test.ts',
  'submits.ts',
  'tuning.ts',
]);
