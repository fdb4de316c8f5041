/** What is known of a model's steps, kept in order when a run goes on from an earlier step than the last one known. */
import type { History, StepReport } from './protocol.js';

type Known = Pick<
  StepReport,
  'step' | 'loss' | 'gradientNorm' | 'learningRate' | 'seconds' | 'validationLoss'
>;

/** Adds a step, after forgetting what was known of it and of later ones: a model that was kept may be older than they. */
export function recordStep(history: History, report: Known): void {
  const { step, loss, gradientNorm, learningRate, seconds, validationLoss } = report;
  forgetFrom(history, step);
  history.steps.push(step);
  history.losses.push(loss);
  history.gradientNorms.push(gradientNorm);
  history.learningRates.push(learningRate);
  history.seconds.push(seconds);
  if (validationLoss !== undefined) history.validation.push({ step, loss: validationLoss, seconds });
}

function forgetFrom(
  { steps, losses, gradientNorms, learningRates, seconds, ...rest }: History,
  step: number,
): void {
  if ((steps.at(-1) ?? 0) < step) return;
  const known = steps.findIndex((at) => at >= step);
  for (const column of [steps, losses, gradientNorms, learningRates, seconds]) column.length = known;
  for (const list of [rest.validation, rest.samples, rest.scores]) {
    const later = list.findIndex((entry) => entry.step >= step);
    if (later >= 0) list.length = later;
  }
}
