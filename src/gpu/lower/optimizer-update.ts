/** `optimizerUpdate` on the GPU: one decision, then one pass over flat parameters, gradients and slots. */
import {
  correctionDecays,
  OPTIMIZER_INPUTS,
  optimizerUpdateOperation,
  slotNames,
  type OptimizerRule,
  type OptimizerUpdateAttributes,
} from '../../ops/optimizer-update.js';
import type { Node, Value, Variable } from '../../graph/value.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  optimizerUpdateAdadeltaKernel,
  optimizerUpdateAdagradKernel,
  optimizerUpdateAdamaxKernel,
  optimizerUpdateAdamKernel,
  optimizerUpdateAverageKernel,
  optimizerUpdateControlKernel,
  optimizerUpdateLionKernel,
  optimizerUpdateNadamKernel,
  optimizerUpdateRmspropKernel,
  optimizerUpdateSgdKernel,
} from '../kernels/optimizer.js';
import { alignUp, type View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';

/** The inputs of a node, by role. */
function inputsOf(node: Node<OptimizerUpdateAttributes>): {
  counters: Value;
  parameters: Value[];
  gradients: Value[];
  slots: Value[];
} {
  const { count } = node.attributes;
  const first = OPTIMIZER_INPUTS.parameters;
  const all = node.inputs as readonly Value[];
  return {
    counters: all[OPTIMIZER_INPUTS.counters]!,
    parameters: all.slice(first, first + count),
    gradients: all.slice(first + count, first + 2 * count),
    slots: all.slice(first + 2 * count),
  };
}

/** Arrays one after the other, each on an aligned offset: the layout that variables side by side have. */
function flatLayout(values: readonly Value[]): { offsets: number[]; bytes: number } {
  const offsets: number[] = [];
  let bytes = 0;
  for (const value of values) {
    offsets.push(bytes);
    bytes += alignUp(value.size * 4);
  }
  return { offsets, bytes };
}

/**
 * Memory to update in place: the variables' own, where the graph gives each of them exactly the value
 * computed here; a copy elsewhere.
 */
function inPlace(
  context: LoweringContext,
  inputs: readonly Value[],
  outputs: readonly Value[],
  label: string,
): View {
  const variables: Variable[] = [];
  inputs.forEach((input, i) => {
    if (input.source.kind !== 'variable') return;
    const { variable } = input.source;
    const update = context.graph.updates.find((candidate) => candidate.variable === variable);
    if (update?.value === outputs[i] && context.view(input).storage.role === 'variable')
      variables.push(variable);
  });
  const { offsets, bytes } = flatLayout(inputs);
  const own = variables.length === inputs.length && new Set(variables).size === variables.length;
  const flat = own ? context.together(variables) : context.allocate('flat copy', bytes, 'zeroed');
  outputs.forEach((output, i) => {
    const place: View = own
      ? { storage: context.variableStorage(variables[i]!), offset: 0, bytes: output.size * 4 }
      : { storage: flat.storage, offset: offsets[i]!, bytes: output.size * 4 };
    if (!own) context.copy(context.view(inputs[i]!), place, label);
    context.place(output, place);
  });
  return flat;
}

export const lowerOptimizerUpdate = defineLowering({
  operation: optimizerUpdateOperation,
  writesVariables: true,
  prepare(node, context) {
    const { gradients } = inputsOf(node);
    const { offsets, bytes } = flatLayout(gradients);
    const flat = context.allocate('gradients', bytes, 'zeroed');
    context.setResidual(node.outputs[0]!, flat);
    gradients.forEach((gradient, i) => {
      context.requestDestination(gradient, {
        storage: flat.storage,
        offset: offsets[i]!,
        bytes: gradient.size * 4,
      });
    });
  },
  lower(node, context) {
    const { rule, count, learningRateFactor } = node.attributes;
    const { counters, parameters, gradients, slots } = inputsOf(node);
    const { offsets, bytes } = flatLayout(gradients);
    const flat = context.residual(node.outputs[0]!) as View;
    gradients.forEach((gradient, i) => {
      const from = context.view(gradient);
      // Elsewhere only where it is an input, a variable, or the gradient of two parameters at once.
      if (from.storage === flat.storage && from.offset === offsets[i]) return;
      context.copy(from, { storage: flat.storage, offset: offsets[i]!, bytes: from.bytes }, node.label);
    });
    // What is not given is 0: no norm that could be infinite, no bound.
    const scalar = (index: number): View => {
      const value = node.inputs[index];
      return value ? context.view(value) : context.nothing('read');
    };
    const control = context.allocate('optimizer control', 40);
    const [beta1, beta2] = correctionDecays(rule);
    context.dispatch(optimizerUpdateControlKernel, {
      buffers: {
        gradient_norm: scalar(OPTIMIZER_INPUTS.gradientNorm),
        learning_rate: scalar(OPTIMIZER_INPUTS.learningRate),
        clip_norm: scalar(OPTIMIZER_INPUTS.clipNorm),
        clip_value: scalar(OPTIMIZER_INPUTS.clipValue),
        counters: inPlace(context, [counters], [node.outputs[0]!], node.label),
        control,
      },
      parameters: {
        beta1,
        beta2,
        one_minus_beta1: 1 - beta1,
        one_minus_beta2: 1 - beta2,
        learning_rate_factor: learningRateFactor,
        nadam: rule.name === 'nadam',
        momentum_decay: rule.name === 'nadam' ? rule.momentumDecay : 0,
      },
      workgroups: [1, 1, 1],
      label: node.label,
    });
    const buffers = {
      parameters: inPlace(context, parameters, node.outputs.slice(1, 1 + count), node.label),
      gradients: { ...flat, bytes },
      slots:
        slots.length > 0
          ? inPlace(context, slots, node.outputs.slice(1 + count), node.label)
          : context.nothing('read_write'),
      control,
    };
    emitRule(context, rule, buffers, bytes / 16, slotNames(rule).length, node.label);
  },
});

function emitRule(
  context: LoweringContext,
  rule: OptimizerRule,
  buffers: { parameters: View; gradients: View; slots: View; control: View },
  quads: number,
  slotCount: number,
  label: string,
): void {
  const common = {
    buffers,
    workgroups: foldWorkgroups(quads, 64),
    label,
    detail: `[${4 * quads}]`,
    flops: 4 * quads * (4 + 6 * slotCount),
  };
  const weight_decay = rule.weightDecay;
  switch (rule.name) {
    case 'sgd':
      context.dispatch(optimizerUpdateSgdKernel, {
        ...common,
        parameters: {
          quads,
          momentum: rule.momentum,
          one_minus_dampening: 1 - rule.dampening,
          weight_decay,
          nesterov: rule.nesterov,
        },
      });
      return;
    case 'adam':
      context.dispatch(optimizerUpdateAdamKernel, {
        ...common,
        parameters: {
          quads,
          beta1: rule.beta1,
          beta2: rule.beta2,
          one_minus_beta1: 1 - rule.beta1,
          one_minus_beta2: 1 - rule.beta2,
          epsilon: rule.epsilon,
          weight_decay,
          decoupled: rule.decoupled,
        },
      });
      return;
    case 'rmsprop':
      context.dispatch(optimizerUpdateRmspropKernel, {
        ...common,
        parameters: {
          quads,
          alpha: rule.alpha,
          one_minus_alpha: 1 - rule.alpha,
          epsilon: rule.epsilon,
          weight_decay,
          momentum: rule.momentum,
          centered: rule.centered,
        },
      });
      return;
    case 'adagrad':
      context.dispatch(optimizerUpdateAdagradKernel, {
        ...common,
        parameters: {
          quads,
          learning_rate_decay: rule.learningRateDecay,
          epsilon: rule.epsilon,
          weight_decay,
        },
      });
      return;
    case 'adadelta':
      context.dispatch(optimizerUpdateAdadeltaKernel, {
        ...common,
        parameters: {
          quads,
          rho: rule.rho,
          one_minus_rho: 1 - rule.rho,
          epsilon: rule.epsilon,
          weight_decay,
        },
      });
      return;
    case 'adamax':
      context.dispatch(optimizerUpdateAdamaxKernel, {
        ...common,
        parameters: {
          quads,
          beta1: rule.beta1,
          one_minus_beta1: 1 - rule.beta1,
          beta2: rule.beta2,
          epsilon: rule.epsilon,
          weight_decay,
        },
      });
      return;
    case 'nadam':
      context.dispatch(optimizerUpdateNadamKernel, {
        ...common,
        parameters: {
          quads,
          beta1: rule.beta1,
          beta2: rule.beta2,
          one_minus_beta1: 1 - rule.beta1,
          one_minus_beta2: 1 - rule.beta2,
          epsilon: rule.epsilon,
          weight_decay,
          decoupled: rule.decoupled,
        },
      });
      return;
    case 'lion':
      context.dispatch(optimizerUpdateLionKernel, {
        ...common,
        parameters: {
          quads,
          beta1: rule.beta1,
          one_minus_beta1: 1 - rule.beta1,
          beta2: rule.beta2,
          one_minus_beta2: 1 - rule.beta2,
          weight_decay,
        },
      });
      return;
    case 'average':
      context.dispatch(optimizerUpdateAverageKernel, { ...common, parameters: { quads } });
  }
}
