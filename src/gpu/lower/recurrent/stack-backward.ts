/**
 * Two layers of a stack backward, side by side: in one dispatch a step of the upper layer and one of the lower, which
 * is a chunk of steps behind. When the upper layer has finished a chunk, it hands over the gradient of its inputs,
 * with dropout where there was some: that of the lower layer's outputs. The gradients of weights follow at the end.
 */
import { backwardInputPlaces, DIRECTION_INPUTS } from '../../../ops/recurrent.js';
import { ALIGNMENT, type View } from '../../memory.js';
import type { LoweringContext } from '../context.js';
import { emitDropout } from '../dropout.js';
import { emitFill } from '../fill.js';
import {
  allocateCarry,
  backwardFlops,
  backwardSteps,
  DirectionGradients,
  emitInputGradientOf,
  finalGradients,
  gradientsOf,
} from './backward.js';
import type { RecurrentResidual } from './forward.js';
import { windowStart, WORD, type Lane, type Layout, type Steps, type Window } from './layout.js';
import type { LayerPair } from './pairs.js';
import { backwardStepsAtOnce } from './persistent.js';
import { layoutsOf, LOWER, UPPER } from './stack-forward.js';
import { emitTiled } from './tiles.js';
import { wavefront } from './wavefront.js';

/**
 * The gradient of the upper layer's outputs, chunk by chunk overwritten by that of the lower layer's: each chunk has
 * been read when the one below is made of it.
 */
function outputGradients({ upper }: LayerPair, { T, B, R, label }: Layout, context: LoweringContext): View {
  const dY = upper.inputs[backwardInputPlaces(upper.attributes).dY];
  const given = dY ? context.view(dY) : null;
  if (given && given.offset % ALIGNMENT === 0 && context.canOverwrite(dY!, upper, [])) return given;
  const dy = context.allocate('gradient of outputs', T * B * R * WORD);
  if (given) context.copy(given, dy, label);
  else emitFill(context, dy, T * B * R, 0, label);
  return dy;
}

/** Lowers both backward nodes of a pair, and the dropout between them. */
export function lowerBackwardPair(pair: LayerPair, context: LoweringContext): void {
  const { lower, upper, dropout } = pair;
  const nodes = [lower, upper];
  const { both, layers, chunk } = layoutsOf(pair, context);
  const { T, B, R, hasInitial } = both;
  const places = backwardInputPlaces(lower.attributes);
  const residual = context.residual(lower.inputs[places.residual]!) as RecurrentResidual;
  const dy = outputGradients(pair, both, context);

  const carry = allocateCarry(
    context,
    both,
    nodes.map((node) => finalGradients(node, 0)),
  );
  const wants = nodes.map((node) => context.isRead(gradientsOf(node, 0)[DIRECTION_INPUTS.states]));
  const directions = nodes.map((node, d) => new DirectionGradients(context, layers[d]!, node, d, 0));
  const window: Window = { begin: 0, end: T, capacity: T };
  const dX = dropout ? context.allocate('dx', T * B * R * WORD) : dy;
  const handOver = ({ begin, end }: Steps): void => {
    const steps = { begin: T - end, end: T - begin };
    const part = { d: UPPER, window, accumulate: false };
    emitInputGradientOf(context, layers[UPPER], dX, residual.gates, part, steps);
    if (!dropout) return;
    emitDropout(context, {
      x: dX,
      seed: context.view(dropout.inputs[1]!),
      y: dy,
      first: windowStart(both, UPPER, steps) * B * R,
      count: (end - begin) * B * R,
      ...dropout.attributes,
      label: dropout.label,
    });
  };

  const emit = backwardSteps(context, both, residual, { dy, dyRows: [0, 0], carry });
  const alone = [true, !hasInitial || wants.includes(true)] as const;
  const key = ` in chunks of ${chunk}`;
  emitTiled(context, both, { family: 'recurrent_backward', steps: T, key }, (tile) => {
    const atOnce = tile.persistent ? backwardStepsAtOnce(both, tile.rows, backwardFlops(both)) : 1;
    for (const turn of wavefront(T, chunk, { atOnce, alone })) {
      if ('runs' in turn) {
        const lanes = turn.runs.map(({ runner, step }) => ({
          d: runner === 'leader' ? UPPER : LOWER,
          i: T - 1 - step,
          window,
        }));
        const [{ d, i }] = lanes as [Lane];
        emit(lanes, tile, turn.count, i + 1 === turn.count && wants[d]!);
      } else if (turn.begins === 'follower') {
        context.apart(() => {
          handOver(turn.chunk);
        });
      }
    }
  });

  const dInput = lower.outputs[0]!;
  if (!directions[LOWER]!.byToken && context.isRead(dInput)) {
    const part = { d: LOWER, window, accumulate: false };
    const view = context.destination(dInput, 'dx');
    emitInputGradientOf(context, layers[LOWER], view, residual.gates, part);
  }
  for (const direction of directions) direction.add(residual, window, false);
  for (const direction of directions) direction.finish(carry);
}
