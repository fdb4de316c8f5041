/** Gradients of recorded values: reverse-mode differentiation, bound to the operations it needs. */
import { differentiate } from '../graph/differentiate.js';
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { add } from './binary.js';
import { fill } from './fill.js';

/**
 * Records the gradients of a scalar.
 * @param loss a value of one element
 * @param sources what to differentiate by: inputs, reads of variables, or any value in between
 * @returns one gradient a source, of its shape; zeros where the loss does not depend on it
 * @throws ShapeError where `loss` is no scalar
 */
export function gradients(loss: Value, sources: readonly Value[]): Value[] {
  checkValue('gradients', 'the loss', loss);
  if (loss.size !== 1 || loss.dtype !== 'float32') {
    throw new ShapeError({
      culprit: 'gradients',
      problem: `the loss is ${loss.dtype}${formatShape(loss.shape)}`,
      remedy: 'reduce it to one real number first, by sum or mean',
    });
  }
  return vectorJacobian([loss], [fill(loss.graph, loss.shape, 1)], sources);
}

/**
 * Records the gradients of `Σ targets⊙upstream` by the sources.
 * @param upstream one weight a target, of its shape
 * @returns one gradient a source, of its shape; zeros where no target depends on it
 */
export function vectorJacobian(
  targets: readonly Value[],
  upstream: readonly (Value | null)[],
  sources: readonly Value[],
): Value[] {
  targets.forEach((target, i) => {
    const gradient = upstream[i];
    if (gradient && !sameShape(gradient.shape, target.shape)) {
      throw new ShapeError({
        culprit: 'vectorJacobian',
        problem: `target ${i} has shape ${formatShape(target.shape)}, its upstream ${formatShape(gradient.shape)}`,
        remedy: 'pass an upstream gradient of the same shape as its target',
      });
    }
  });
  sources.forEach((source, i) => {
    checkValue('gradients', `source ${i}`, source);
    if (source.dtype === 'float32') return;
    throw new ArgumentError({
      culprit: 'gradients',
      problem: `source ${i} holds ${source.dtype} elements`,
      remedy: 'differentiate by real numbers only',
    });
  });
  return differentiate(targets, upstream, sources, { add }).map(
    (gradient, i) => gradient ?? fill(sources[i]!.graph, sources[i]!.shape, 0),
  );
}
