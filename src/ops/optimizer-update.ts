/** `optimizerUpdate`: one step of an optimizer over all parameters, with clipping by the global norm. */
import { ArgumentError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { apply, checkCount, checkSameShape, typed } from './check.js';

/** Stochastic gradient descent, https://pytorch.org/docs/stable/generated/torch.optim.SGD.html */
export interface SgdRule {
  readonly name: 'sgd';
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/** Adam (Kingma & Ba, arXiv 1412.6980), or AdamW (Loshchilov & Hutter, arXiv 1711.05101) where `decoupled`. */
export interface AdamRule {
  readonly name: 'adam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Whether weight decay shrinks the parameter itself and leaves the gradient alone. */
  readonly decoupled: boolean;
}

/** RMSprop, https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html */
export interface RmspropRule {
  readonly name: 'rmsprop';
  readonly alpha: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly momentum: number;
  /** Whether the squared mean gradient is taken off the mean square. */
  readonly centered: boolean;
}

/** Adagrad (Duchi et al., JMLR 2011), https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html */
export interface AdagradRule {
  readonly name: 'adagrad';
  /** The learning rate of update t is divided by `1 + (t − 1)·learningRateDecay`. */
  readonly learningRateDecay: number;
  readonly weightDecay: number;
  /** What the sums of squares begin with. */
  readonly initialAccumulatorValue: number;
  readonly epsilon: number;
}

/** Adadelta (Zeiler, arXiv 1212.5701), https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html */
export interface AdadeltaRule {
  readonly name: 'adadelta';
  readonly rho: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Adamax (Kingma & Ba, arXiv 1412.6980, section 7.1), https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html */
export interface AdamaxRule {
  readonly name: 'adamax';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** NAdam (Dozat, 2016), https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html */
export interface NadamRule {
  readonly name: 'nadam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** ψ of the momentum's schedule, see {@link nadamMomentum}. */
  readonly momentumDecay: number;
  /** Whether weight decay shrinks the parameter itself and leaves the gradient alone. */
  readonly decoupled: boolean;
}

/** Lion (Chen et al., arXiv 2302.06675, algorithm 2); its weight decay is decoupled. */
export interface LionRule {
  readonly name: 'lion';
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
}

/**
 * An exponential moving average, whose "gradients" are the numbers to average: `p ← p + learningRate·(g − p)`,
 * the first update `p ← g`.
 */
export interface AverageRule {
  readonly name: 'average';
  readonly weightDecay: 0;
}

/** How parameters follow gradients; PyTorch's definitions exactly. */
export type OptimizerRule =
  | SgdRule
  | AdamRule
  | RmspropRule
  | AdagradRule
  | AdadeltaRule
  | AdamaxRule
  | NadamRule
  | LionRule
  | AverageRule;

/** Attributes of {@link optimizerUpdateOperation}. */
export interface OptimizerUpdateAttributes {
  readonly rule: OptimizerRule;
  /** Number of parameters. */
  readonly count: number;
  /** What the learning rate is multiplied with. */
  readonly learningRateFactor: number;
}

/** What the four numbers of `counters` are. */
export const COUNTERS = {
  /** Updates applied. */
  applied: 0,
  /** Updates skipped, for a gradient norm that was not finite. */
  skipped: 1,
  /** `1 − β₁ᵗ`, by `c ← β·c + (1 − β)`; 0 for rules without. NAdam's β₁ is another at each update. */
  correction1: 2,
  /** `1 − β₂ᵗ`, likewise. */
  correction2: 3,
} as const;

/** The arrays a rule keeps for each parameter, in PyTorch's names; they begin with {@link slotInitial}. */
export function slotNames(rule: OptimizerRule): string[] {
  switch (rule.name) {
    case 'sgd':
      return rule.momentum !== 0 ? ['momentum_buffer'] : [];
    case 'adam':
      return ['exp_avg', 'exp_avg_sq'];
    case 'rmsprop':
      return [
        'square_avg',
        ...(rule.centered ? ['grad_avg'] : []),
        ...(rule.momentum > 0 ? ['momentum_buffer'] : []),
      ];
    case 'adagrad':
      return ['sum'];
    case 'adadelta':
      return ['square_avg', 'acc_delta'];
    case 'adamax':
      return ['exp_avg', 'exp_inf'];
    case 'nadam':
      return ['exp_avg', 'exp_avg_sq'];
    case 'lion':
      return ['exp_avg'];
    case 'average':
      return [];
  }
}

/** What every element of a slot begins with. */
export function slotInitial(rule: OptimizerRule): number {
  return rule.name === 'adagrad' ? rule.initialAccumulatorValue : 0;
}

/** The decays whose bias corrections the counters keep; 1 for none. NAdam's first is the one its schedule begins from. */
export function correctionDecays(rule: OptimizerRule): readonly [number, number] {
  switch (rule.name) {
    case 'adam':
    case 'nadam':
      return [rule.beta1, rule.beta2];
    case 'adamax':
      return [rule.beta1, 1];
    default:
      return [1, 1];
  }
}

/** NAdam's momentum at update t, counted from 1: `μ(t) = β₁·(1 − ½·0.96^(t·ψ))`. */
export function nadamMomentum(rule: NadamRule, t: number): number {
  return rule.beta1 * (1 - 0.5 * 0.96 ** (t * rule.momentumDecay));
}

const RULE_NAMES = [
  'sgd',
  'adam',
  'rmsprop',
  'adagrad',
  'adadelta',
  'adamax',
  'nadam',
  'lion',
  'average',
] satisfies OptimizerRule['name'][];

function checkRange(culprit: string, name: string, value: number, below = Infinity): void {
  if (value >= 0 && value < below) return;
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${value}`,
    remedy:
      below === Infinity ? 'pass a finite number of at least 0' : `pass a number from 0 to below ${below}`,
  });
}

function checkRule(culprit: string, rule: OptimizerRule): void {
  switch (rule.name) {
    case 'sgd':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'momentum', rule.momentum);
      if (!Number.isFinite(rule.dampening)) checkRange(culprit, 'dampening', rule.dampening);
      if (rule.nesterov && (rule.momentum <= 0 || rule.dampening !== 0)) {
        throw new ArgumentError({
          culprit,
          problem: `nesterov with momentum ${rule.momentum} and dampening ${rule.dampening}`,
          remedy: 'give Nesterov a momentum above 0 and no dampening',
        });
      }
      return;
    case 'adam':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'beta1', rule.beta1, 1);
      checkRange(culprit, 'beta2', rule.beta2, 1);
      checkRange(culprit, 'epsilon', rule.epsilon);
      return;
    case 'rmsprop':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'alpha', rule.alpha);
      checkRange(culprit, 'epsilon', rule.epsilon);
      checkRange(culprit, 'momentum', rule.momentum);
      return;
    case 'adagrad':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'learningRateDecay', rule.learningRateDecay);
      checkRange(culprit, 'initialAccumulatorValue', rule.initialAccumulatorValue);
      checkRange(culprit, 'epsilon', rule.epsilon);
      return;
    case 'adadelta':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      // A mean that keeps nothing, or nothing new, is a mean still.
      if (rule.rho !== 1) checkRange(culprit, 'rho', rule.rho, 1);
      checkRange(culprit, 'epsilon', rule.epsilon);
      return;
    case 'adamax':
    case 'nadam':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'beta1', rule.beta1, 1);
      checkRange(culprit, 'beta2', rule.beta2, 1);
      checkRange(culprit, 'epsilon', rule.epsilon);
      if (rule.name === 'nadam') checkRange(culprit, 'momentumDecay', rule.momentumDecay);
      return;
    case 'lion':
      checkRange(culprit, 'weightDecay', rule.weightDecay);
      checkRange(culprit, 'beta1', rule.beta1, 1);
      checkRange(culprit, 'beta2', rule.beta2, 1);
      return;
    case 'average':
      return;
    default:
      throw new ArgumentError({
        culprit,
        problem: `there is no rule "${String((rule as { name: unknown }).name)}"`,
        remedy: `pass one of ${RULE_NAMES.join(', ')}`,
      });
  }
}

/** Where the inputs of {@link optimizerUpdateOperation} stand. */
export const OPTIMIZER_INPUTS = {
  learningRate: 0,
  gradientNorm: 1,
  clipNorm: 2,
  clipValue: 3,
  counters: 4,
  parameters: 5,
} as const;

/**
 * `[learningRate[], gradientNorm[]|null, clipNorm[]|null, clipValue[]|null, counters[4], ...parameters(n),
 * ...gradients(n), ...slots(s·n)] → [counters′, ...parameters′, ...slots′]`. Slots are slot-major: slot 0 of every
 * parameter, then slot 1.
 *
 * Gradients are first scaled by `min(1, clipNorm/(gradientNorm + 1e-6))` where `clipNorm > 0`, and then held
 * within `±clipValue` where `clipValue > 0`. Where the gradient norm is not finite nothing changes but the count
 * of skipped updates.
 */
export const optimizerUpdateOperation = defineOperation<OptimizerUpdateAttributes>({
  name: 'optimizerUpdate',
  infer(inputs, { rule, count, learningRateFactor }, culprit) {
    checkRule(culprit, rule);
    checkRange(culprit, 'learningRateFactor', learningRateFactor);
    const slots = slotNames(rule);
    checkCount(culprit, inputs, OPTIMIZER_INPUTS.parameters + count * (2 + slots.length));
    for (const name of ['learningRate', 'gradientNorm', 'clipNorm', 'clipValue'] as const) {
      if (name !== 'learningRate' && inputs[OPTIMIZER_INPUTS[name]] === null) continue;
      checkSameShape(culprit, name, typed(culprit, inputs, OPTIMIZER_INPUTS[name], name), []);
    }
    checkSameShape(culprit, 'counters', typed(culprit, inputs, OPTIMIZER_INPUTS.counters, 'counters'), [4]);
    const parameters: ValueSpec[] = [];
    for (let i = 0; i < count; i++) {
      const parameter = typed(culprit, inputs, OPTIMIZER_INPUTS.parameters + i, `parameter ${i}`);
      parameters.push({ shape: parameter.shape, dtype: 'float32' });
      ['gradient', ...slots].forEach((name, k) => {
        const who = `${name} ${i}`;
        const index = OPTIMIZER_INPUTS.parameters + (1 + k) * count + i;
        checkSameShape(culprit, who, typed(culprit, inputs, index, who), parameter.shape);
      });
    }
    return [{ shape: [4], dtype: 'float32' }, ...parameters, ...slots.flatMap(() => parameters)];
  },
  gradient: null,
});

/** What {@link optimizerUpdate} takes. */
export interface OptimizerUpdateInputs {
  readonly rule: OptimizerRule;
  /** Scalar. */
  readonly learningRate: Value;
  /** Default 1. */
  readonly learningRateFactor?: number;
  /** Scalar: the norm of all gradients, see {@link globalNorm}. Without one, every update is applied and none is scaled. */
  readonly gradientNorm?: Value | null;
  /** Scalar: gradients are scaled down to this norm; 0, or none, for no scaling. */
  readonly clipNorm?: Value | null;
  /** Scalar: each element of the scaled gradients is held within ± this; 0, or none, for no bound. */
  readonly clipValue?: Value | null;
  /** `[4]`, see {@link COUNTERS}; begin with zeros. */
  readonly counters: Value;
  readonly parameters: readonly Value[];
  /** One a parameter, of its shape. */
  readonly gradients: readonly Value[];
  /** One list a slot of {@link slotNames}, with one array a parameter. */
  readonly slots: readonly (readonly Value[])[];
  /** Names the optimizer in messages and listings. */
  readonly label?: string;
}

/** One step of an optimizer. Returns the new values, for {@link Graph.update}. */
export function optimizerUpdate(inputs: OptimizerUpdateInputs): {
  counters: Value;
  parameters: Value[];
  slots: Value[][];
} {
  const {
    rule,
    learningRate,
    learningRateFactor = 1,
    counters,
    parameters,
    gradients,
    slots,
    label,
  } = inputs;
  const { gradientNorm = null, clipNorm = null, clipValue = null } = inputs;
  const count = parameters.length;
  const lists = [gradients, ...slots];
  const culprit = label ? `optimizerUpdate "${label}"` : 'optimizerUpdate';
  for (const list of lists) {
    if (list.length === count) continue;
    throw new ArgumentError({
      culprit,
      problem: `got ${count} parameters but ${list.length} gradients or slot arrays`,
      remedy: 'pass one a parameter',
    });
  }
  const outputs = apply(
    optimizerUpdateOperation,
    [learningRate, gradientNorm, clipNorm, clipValue, counters, ...parameters, ...lists.flat()],
    { rule, count, learningRateFactor },
    label,
  );
  const group = (k: number): Value[] => outputs.slice(1 + k * count, 1 + (k + 1) * count);
  return { counters: outputs[0]!, parameters: group(0), slots: slots.map((_, k) => group(k + 1)) };
}
