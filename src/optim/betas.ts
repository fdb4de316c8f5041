/** The pair of decays that Adam and its kin take. */
import { ArgumentError } from '../graph/errors.js';
import { checkNumber } from '../graph/options.js';

/** The two decays, each `0 ≤ β < 1`. @throws ArgumentError otherwise */
export function checkBetas(culprit: string, betas: unknown): readonly [number, number] {
  if (!Array.isArray(betas) || betas.length !== 2) {
    throw new ArgumentError({ culprit, problem: 'betas is not a pair', remedy: 'pass two numbers' });
  }
  betas.forEach((beta, i) => checkNumber(culprit, `betas[${i}]`, beta, { min: 0, below: 1 }));
  return betas as unknown as readonly [number, number];
}
