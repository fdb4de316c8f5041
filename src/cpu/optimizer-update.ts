/** `optimizerUpdate` on the CPU: one function a rule, over the elements of one parameter. */
import {
  COUNTERS,
  OPTIMIZER_INPUTS,
  optimizerUpdateOperation,
  slotNames,
  type AdamRule,
  type OptimizerRule,
  type RmspropRule,
  type SgdRule,
} from '../ops/optimizer-update.js';
import { defineKernel, outputSize } from './kernel.js';
import type { RealArray } from './storage.js';

/** One parameter with all that belongs to it; `parameter` and `slots` hold the old values and take the new ones. */
interface Update {
  readonly parameter: RealArray;
  readonly gradient: RealArray;
  readonly slots: readonly RealArray[];
  readonly learningRate: number;
  /** What the gradient is multiplied with, for clipping. */
  readonly scale: number;
  /** The counters after this update. */
  readonly counters: RealArray;
}

function sgd(rule: SgdRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, scale, counters } = update;
  const { momentum, dampening, nesterov, weightDecay } = rule;
  const buffer = slots[0];
  const first = counters[COUNTERS.applied] === 1;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    let g = scale * gradient[i]! + weightDecay * p;
    if (buffer) {
      const b = first ? g : momentum * buffer[i]! + (1 - dampening) * g;
      buffer[i] = b;
      g = nesterov ? g + momentum * b : b;
    }
    parameter[i] = p - learningRate * g;
  }
}

function adam(rule: AdamRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, scale, counters } = update;
  const { beta1, beta2, epsilon, weightDecay, decoupled } = rule;
  const mean = slots[0]!;
  const meanSquare = slots[1]!;
  const stepSize = learningRate / counters[COUNTERS.correction1]!;
  const root = Math.sqrt(counters[COUNTERS.correction2]!);
  for (let i = 0; i < parameter.length; i++) {
    const old = parameter[i]!;
    const p = decoupled ? old * (1 - learningRate * weightDecay) : old;
    const g = scale * gradient[i]! + (decoupled ? 0 : weightDecay * old);
    const m = beta1 * mean[i]! + (1 - beta1) * g;
    const v = beta2 * meanSquare[i]! + (1 - beta2) * g * g;
    mean[i] = m;
    meanSquare[i] = v;
    parameter[i] = p - (stepSize * m) / (Math.sqrt(v) / root + epsilon);
  }
}

function rmsprop(rule: RmspropRule, update: Update): void {
  const { parameter, gradient, slots, learningRate, scale } = update;
  const { alpha, epsilon, weightDecay, momentum, centered } = rule;
  const meanSquare = slots[0]!;
  const mean = centered ? slots[1]! : null;
  const buffer = momentum > 0 ? slots[centered ? 2 : 1]! : null;
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = scale * gradient[i]! + weightDecay * p;
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
  }
}

/** Floating-point operations an element, roughly. */
const FLOPS_PER_ELEMENT = { sgd: 6, adam: 14, rmsprop: 12 } as const;

/** Copies what will change, then lets the rule change it, unless the gradient norm is not finite. */
export const optimizerUpdateKernel = defineKernel(
  optimizerUpdateOperation,
  (call) => {
    const { rule, count } = call.attributes;
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

    const norm = call.real(OPTIMIZER_INPUTS.gradientNorm)[0]!;
    if (!Number.isFinite(norm)) {
      counters[COUNTERS.skipped] = counters[COUNTERS.skipped]! + 1;
      return outputs;
    }
    counters[COUNTERS.applied] = counters[COUNTERS.applied]! + 1;
    if (rule.name === 'adam') {
      const { beta1, beta2 } = rule;
      counters[COUNTERS.correction1] = beta1 * counters[COUNTERS.correction1]! + (1 - beta1);
      counters[COUNTERS.correction2] = beta2 * counters[COUNTERS.correction2]! + (1 - beta2);
    }
    const learningRate = call.real(OPTIMIZER_INPUTS.learningRate)[0]!;
    const clipNorm = call.real(OPTIMIZER_INPUTS.clipNorm)[0]!;
    const scale = clipNorm > 0 ? Math.min(1, clipNorm / (norm + 1e-6)) : 1;
    for (const i of indices) {
      apply(rule, {
        parameter: parameters[i]!,
        gradient: call.real(first + count + i),
        slots: slots.map((arrays) => arrays[i]!),
        learningRate,
        scale,
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
