/**
 * Two layers of a stack forward, side by side: in one dispatch a step of the lower layer and one of the upper, which
 * is a chunk of steps behind. When the lower layer has finished a chunk, it is handed over: its outputs, with dropout
 * where there is some, times the upper layer's W_ih.
 *
 * To the kernels the two layers are two directions of one layer. No sum is in another order than one layer after the
 * other has it.
 */
import type { LoweringContext } from '../context.js';
import { emitDropout } from '../dropout.js';
import {
  allocateStates,
  emitFinalStatesOf,
  emitInputProduct,
  emitOutputRows,
  forwardFlops,
  forwardSteps,
  outputPlace,
  type RecurrentResidual,
} from './forward.js';
import { layoutOf, windowStart, WORD, type Layout, type Steps, type Window } from './layout.js';
import { chunkOfPair, pairLayout, type LayerPair } from './pairs.js';
import { forwardStepsAtOnce } from './persistent.js';
import { emitTiled } from './tiles.js';
import { wavefront } from './wavefront.js';

/** The places of the layers among the directions of {@link layoutsOf}. */
export const [LOWER, UPPER] = [0, 1] as const;

/** Two layers as one with two directions; and each of them so, with its own inputs. */
export function layoutsOf(
  { lower, upper }: LayerPair,
  context: LoweringContext,
): { readonly both: Layout; readonly layers: readonly [Layout, Layout]; readonly chunk: number } {
  const [first, second] = [layoutOf(lower, context.recomputeAbove), layoutOf(upper, context.recomputeAbove)];
  const both = pairLayout(first, second)!;
  const alone = ({ I, x, tokenTable, hasInitial, label }: Layout): Layout => {
    return { ...both, I, x, tokenTable, hasInitial, label };
  };
  return { both, layers: [alone(first), alone(second)], chunk: chunkOfPair(both, context.software)! };
}

/** Lowers both forward nodes of a pair, and the dropout between them. */
export function lowerForwardPair(pair: LayerPair, context: LoweringContext): void {
  const { lower, upper, dropout } = pair;
  const { both, layers, chunk } = layoutsOf(pair, context);
  const { T, B, D, P, kernels, hasInitial, mask } = both;
  const y = lower.outputs[0]!;
  const residuals = [lower, upper].map(({ outputs }) => outputs.at(-1)!);
  const save = residuals.some((residual) => context.isRead(residual));

  // What nobody reads later need be there for a chunk only.
  const capacity = save ? T : chunk;
  const gates = context.allocate('gates', D * capacity * B * kernels.slots * P * WORD);
  const { states, sequences } = allocateStates(context, both, { keepOutputs: true, save, recomputes: false });
  const h = states[0]!;
  const windowOf = (steps: Steps): Window => (save ? { begin: 0, end: T, capacity } : { ...steps, capacity });

  const dense = mask ? context.output(y, 'outputs') : outputPlace(both, h, sequences.h, LOWER);
  const x = dropout ? context.output(dropout.outputs[0]!, 'dropout') : dense;
  const handOver = (steps: Steps): void => {
    const start = windowStart(both, LOWER, steps);
    const count = steps.end - steps.begin;
    if (mask) {
      const rows = { directions: [LOWER], start, steps: count };
      emitOutputRows(context, layers[LOWER], dense, h, sequences.h, rows);
    }
    if (dropout) {
      const width = B * both.R;
      emitDropout(context, {
        x: dense,
        seed: context.view(dropout.inputs[1]!),
        y: x,
        first: start * width,
        count: count * width,
        ...dropout.attributes,
        label: dropout.label,
      });
    }
    emitInputProduct(context, layers[UPPER], gates, windowOf(steps), UPPER, { steps, x });
  };

  if (save) emitInputProduct(context, layers[LOWER], gates, windowOf({ begin: 0, end: T }), LOWER);
  const emit = forwardSteps(context, both, { gates, states, sequences, save });
  const key = ` in chunks of ${chunk}`;
  emitTiled(context, both, { family: 'recurrent_forward', steps: T, key }, (tile) => {
    const atOnce = tile.persistent ? forwardStepsAtOnce(both, tile.rows, forwardFlops(both)) : 1;
    for (const turn of wavefront(T, chunk, { atOnce, alone: [!hasInitial, false] })) {
      if ('runs' in turn) {
        const lanes = turn.runs.map(({ runner, step, chunk }) => ({
          d: runner === 'leader' ? LOWER : UPPER,
          i: step,
          window: windowOf(chunk),
        }));
        emit(lanes, tile, turn.count);
      } else if (turn.begins === 'follower') {
        context.apart(() => {
          handOver(turn.chunk);
        });
      } else if (!save) {
        context.apart(() => {
          emitInputProduct(context, layers[LOWER], gates, windowOf(turn.chunk), LOWER);
        });
      }
    }
  });

  [lower, upper].forEach((node, d) => {
    emitFinalStatesOf(context, layers[d]!, node.outputs.slice(1), states, sequences, d);
    const value = node.outputs[0]!;
    if (!context.isRead(value) || (mask && d === LOWER)) return;
    if (mask)
      emitOutputRows(context, layers[d]!, context.output(value, 'outputs'), h, sequences.h, {
        directions: [d],
      });
    else context.alias(value, outputPlace(both, h, sequences.h, d), layers[d]!.label);
  });
  if (!save) return;
  for (const { storage } of states) context.pin(storage);
  const content: RecurrentResidual = { gates, states, sequences };
  for (const residual of residuals) context.setResidual(residual, content);
}
