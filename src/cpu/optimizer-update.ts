/** `optimizerUpdate` on the CPU: one function a rule, over the elements of one parameter. */
import {
  COUNTERS,
  correctionDecays,
  nadamMomentum,
  OPTIMIZER_INPUTS,
  optimizerUpdateOperation,
  slotNames,
  type AdadeltaRule,
  type AdagradRule,
  type AdamaxRule,
  type AdamRule,
  type LionRule,
  type NadamRule,
  type OptimizerRule,
  type RmspropRule,
  type SgdRule,
} from '../ops/optimizer-update.js';
import { defineKernel, outputSize } from './kernel.js';
import type { RealArray } from './storage.js';

/** One parameter with all that belongs to it; `parameter` and `slots` hold the old values and take the new ones. */
interface Update {
  readonly parameter: RealArray;
  /** Clipped. */
  readonly gradient: RealArray;
  readonly slots: readonly RealArray[];
  readonly learningRate: number;
  /** The counters after this update. */
  readonly counters: RealArray;
}

function sgd(rule: SgdRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, counters } = update;
  const { momentum, dampening, nesterov, weightDecay } = rule;
  const buffer = slots[0];
  const first = counters[COUNTERS.applied] === 1;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    let g = gradient[i]! + weightDecay * p;
    if (buffer) {
      const b = first ? g : momentum * buffer[i]! + (1 - dampening) * g;
      buffer[i] = b;
      g = nesterov ? g + momentum * b : b;
    }
    parameter[i] = p - learningRate * g;
  }
}

function adam(rule: AdamRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, counters } = update;
  const { beta1, beta2, epsilon, weightDecay, decoupled } = rule;
  const mean = slots[0]!;
  const meanSquare = slots[1]!;
  const stepSize = learningRate / counters[COUNTERS.correction1]!;
  const root = Math.sqrt(counters[COUNTERS.correction2]!);
  for (let i = 0; i < parameter.length; i++) {
    const old = parameter[i]!;
    const p = decoupled ? old * (1 - learningRate * weightDecay) : old;
    const g = gradient[i]! + (decoupled ? 0 : weightDecay * old);
    const m = beta1 * mean[i]! + (1 - beta1) * g;
    const v = beta2 * meanSquare[i]! + (1 - beta2) * g * g;
    mean[i] = m;
    meanSquare[i] = v;
    parameter[i] = p - (stepSize * m) / (Math.sqrt(v) / root + epsilon);
  }
}

function rmsprop(rule: RmspropRule, update: Update): void {
  const { parameter, gradient, slots, learningRate } = update;
  const { alpha, epsilon, weightDecay, momentum, centered } = rule;
  const meanSquare = slots[0]!;
  const mean = centered ? slots[1]! : null;
  const buffer = momentum > 0 ? slots[centered ? 2 : 1]! : null;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = gradient[i]! + weightDecay * p;
    const v = alpha * meanSquare[i]! + (1 - alpha) * g * g;
    meanSquare[i] = v;
    let variance = v;
    if (mean) {
      const m = alpha * mean[i]! + (1 - alpha) * g;
      mean[i] = m;
      // Rounding can take the variance of a steady gradient just below zero.
      variance = Math.max(0, v - m * m);
    }
    let change = g / (Math.sqrt(variance) + epsilon);
    if (buffer) {
      change += momentum * buffer[i]!;
      buffer[i] = change;
    }
    parameter[i] = p - learningRate * change;
  }
}

function adagrad(rule: AdagradRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, counters } = update;
  const { learningRateDecay, weightDecay, epsilon } = rule;
  const sum = slots[0]!;
  const rate = learningRate / (1 + (counters[COUNTERS.applied]! - 1) * learningRateDecay);
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = gradient[i]! + weightDecay * p;
    const s = sum[i]! + g * g;
    sum[i] = s;
    parameter[i] = p - (rate * g) / (Math.sqrt(s) + epsilon);
  }
}

function adadelta(rule: AdadeltaRule, update: Update): void {
  const { parameter, gradient, slots, learningRate } = update;
  const { rho, epsilon, weightDecay } = rule;
  const meanSquare = slots[0]!;
  const meanSquareChange = slots[1]!;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = gradient[i]! + weightDecay * p;
    const v = rho * meanSquare[i]! + (1 - rho) * g * g;
    const u = meanSquareChange[i]!;
    const change = (Math.sqrt(u + epsilon) / Math.sqrt(v + epsilon)) * g;
    meanSquare[i] = v;
    meanSquareChange[i] = rho * u + (1 - rho) * change * change;
    parameter[i] = p - learningRate * change;
  }
}

function adamax(rule: AdamaxRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, counters } = update;
  const { beta1, beta2, epsilon, weightDecay } = rule;
  const mean = slots[0]!;
  const largest = slots[1]!;
  const stepSize = learningRate / counters[COUNTERS.correction1]!;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = gradient[i]! + weightDecay * p;
    const m = beta1 * mean[i]! + (1 - beta1) * g;
    const u = Math.max(beta2 * largest[i]!, Math.abs(g) + epsilon);
    mean[i] = m;
    largest[i] = u;
    // Without ε, where every gradient was 0 so far, it would be 0/0.
    if (u > 0) parameter[i] = p - (stepSize * m) / u;
  }
}

function nadam(rule: NadamRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, counters } = update;
  const { beta1, beta2, epsilon, weightDecay, decoupled } = rule;
  const mean = slots[0]!;
  const meanSquare = slots[1]!;
  const t = counters[COUNTERS.applied]!;
  const now = nadamMomentum(rule, t);
  const next = nadamMomentum(rule, t + 1);
  // 1 − μ(1)⋯μ(t), and the same one step on.
  const correction = counters[COUNTERS.correction1]!;
  const nextCorrection = next * correction + (1 - next);
  const root = Math.sqrt(counters[COUNTERS.correction2]!);
  for (let i = 0; i < parameter.length; i++) {
    const old = parameter[i]!;
    const p = decoupled ? old * (1 - learningRate * weightDecay) : old;
    const g = gradient[i]! + (decoupled ? 0 : weightDecay * old);
    const m = beta1 * mean[i]! + (1 - beta1) * g;
    const v = beta2 * meanSquare[i]! + (1 - beta2) * g * g;
    mean[i] = m;
    meanSquare[i] = v;
    const direction = ((1 - now) / correction) * g + (next / nextCorrection) * m;
    parameter[i] = p - (learningRate * direction) / (Math.sqrt(v) / root + epsilon);
  }
}

function lion(rule: LionRule, update: Update): void {
  const { parameter, gradient, slots, learningRate } = update;
  const { beta1, beta2, weightDecay } = rule;
  const mean = slots[0]!;
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]!;
    const m = mean[i]!;
    const shrunk = parameter[i]! * (1 - learningRate * weightDecay);
    parameter[i] = shrunk - learningRate * Math.sign(beta1 * m + (1 - beta1) * g);
    mean[i] = beta2 * m + (1 - beta2) * g;
  }
}

function average({ parameter, gradient, learningRate, counters }: Update): void {
  const first = counters[COUNTERS.applied] === 1;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    parameter[i] = first ? gradient[i]! : p + learningRate * (gradient[i]! - p);
  }
}

function apply(rule: OptimizerRule, update: Update): void {
  switch (rule.name) {
    case 'sgd':
      sgd(rule, update);
      return;
    case 'adam':
      adam(rule, update);
      return;
    case 'rmsprop':
      rmsprop(rule, update);
      return;
    case 'adagrad':
      adagrad(rule, update);
      return;
    case 'adadelta':
      adadelta(rule, update);
      return;
    case 'adamax':
      adamax(rule, update);
      return;
    case 'nadam':
      nadam(rule, update);
      return;
    case 'lion':
      lion(rule, update);
      return;
    case 'average':
      average(update);
      return;
  }
}

/** Floating-point operations an element, roughly. */
const FLOPS_PER_ELEMENT = {
  sgd: 6,
  adam: 14,
  rmsprop: 12,
  adagrad: 8,
  adadelta: 14,
  adamax: 10,
  nadam: 18,
  lion: 10,
  average: 3,
} as const;

/** Copies what will change, then lets the rule change it, unless the gradient norm is not finite. */
export const optimizerUpdateKernel = defineKernel(
  optimizerUpdateOperation,
  (call) => {
    const { rule, count, learningRateFactor } = call.attributes;
    const copy = (index: number): RealArray => {
      const old = call.real(index);
      const fresh = call.allocate(old.length);
      fresh.set(old);
      return fresh;
    };
    const first = OPTIMIZER_INPUTS.parameters;
    const indices = Array.from({ length: count }, (_, i) => i);
    const counters = copy(OPTIMIZER_INPUTS.counters);
    const parameters = indices.map((i) => copy(first + i));
    const slots = slotNames(rule).map((_, k) => indices.map((i) => copy(first + (2 + k) * count + i)));
    const outputs = [counters, ...parameters, ...slots.flat()];

    /** 0 where it is not given: no norm that could be infinite, no bound. */
    const scalar = (index: number): number => call.optional(index)?.[0] ?? 0;
    const norm = scalar(OPTIMIZER_INPUTS.gradientNorm);
    if (!Number.isFinite(norm)) {
      counters[COUNTERS.skipped] = counters[COUNTERS.skipped]! + 1;
      return outputs;
    }
    const applied = counters[COUNTERS.applied]! + 1;
    counters[COUNTERS.applied] = applied;
    const [first1, beta2] = correctionDecays(rule);
    const beta1 = rule.name === 'nadam' ? nadamMomentum(rule, applied) : first1;
    counters[COUNTERS.correction1] = beta1 * counters[COUNTERS.correction1]! + (1 - beta1);
    counters[COUNTERS.correction2] = beta2 * counters[COUNTERS.correction2]! + (1 - beta2);
    const clipNorm = scalar(OPTIMIZER_INPUTS.clipNorm);
    const clipValue = scalar(OPTIMIZER_INPUTS.clipValue);
    const scale = clipNorm > 0 ? Math.min(1, clipNorm / (norm + 1e-6)) : 1;
    const bound = clipValue > 0 ? clipValue : Infinity;
    const clip = (gradient: RealArray): RealArray => {
      if (scale === 1 && bound === Infinity) return gradient;
      const clipped = call.scratch(gradient.length);
      for (let i = 0; i < clipped.length; i++)
        clipped[i] = Math.min(bound, Math.max(-bound, scale * gradient[i]!));
      return clipped;
    };
    for (const i of indices) {
      apply(rule, {
        parameter: parameters[i]!,
        gradient: clip(call.real(first + count + i)),
        slots: slots.map((arrays) => arrays[i]!),
        learningRate: learningRateFactor * scalar(OPTIMIZER_INPUTS.learningRate),
        counters,
      });
    }
    return outputs;
  },
  (node) => {
    const { rule, count } = node.attributes;
    const parameters = node.outputs.slice(1, 1 + count);
    const size = parameters.reduce((total, parameter) => total + parameter.size, 0);
    return count === 0 ? outputSize(node) : FLOPS_PER_ELEMENT[rule.name] * size;
  },
);
