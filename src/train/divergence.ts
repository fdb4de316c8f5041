/** What to say of a loss that is not finite: where, and whose gradient is to blame. */
import { NonFiniteError } from '../graph/errors.js';
import type { Batch, Trainer } from './trainer.js';

/**
 * The error, with the parameter whose gradient is not finite, or else is the largest, for a batch at the weights of
 * the moment: where the gradients are not finite, updates are skipped, so these are the weights of the step itself.
 * @param what the loss it is about
 * @param batch of that loss; without it nothing is said of gradients
 */
export async function diverged(
  trainer: Trainer,
  what: string,
  loss: number,
  batch: Batch | undefined,
): Promise<NonFiniteError> {
  return new NonFiniteError({
    culprit: 'fit',
    problem: `${what} is ${loss}${batch ? await blame(trainer, batch) : ''}`,
    remedy: 'the last good weights are back; try a lower learning rate or clipNorm',
  });
}

async function blame(trainer: Trainer, batch: Batch): Promise<string> {
  // It is the loss that must be told; without memory or device there is nothing to add.
  const norms = await trainer.gradientNorms(batch).catch(() => null);
  if (!norms || norms.size === 0) return '';
  const sorted = [...norms].sort(([, a], [, b]) => rank(b) - rank(a));
  const [name, norm] = sorted[0]!;
  return Number.isFinite(norm)
    ? `, the largest gradient, of norm ${norm.toPrecision(3)}, is that of "${name}"`
    : `, the gradient of "${name}" is not finite`;
}

/** Sorting keeps the order of equals, so the first parameter that is not finite comes first. */
function rank(norm: number): number {
  return Number.isFinite(norm) ? norm : Infinity;
}
