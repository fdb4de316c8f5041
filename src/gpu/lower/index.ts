/** Lowering: from a graph to a flat program, each operation by its own rule. */
import { ArgumentError, fetched } from '../../graph/errors.js';
import { liveNodes, type Graph } from '../../graph/graph.js';
import type { Operation } from '../../graph/operation.js';
import type { Node, Value } from '../../graph/value.js';
import { sequenceMaskOperation, type SequenceMaskAttributes } from '../../ops/sequence-mask.js';
import type { View } from '../memory.js';
import type { InputPlace, Program } from '../program.js';
import { lowerBinary, lowerBinaryMask } from './binary.js';
import { lowerBroadcast } from './broadcast.js';
import { lowerConcat } from './concat.js';
import type { LoweringSettings } from './choice.js';
import { LoweringContext, type LoweringRule } from './context.js';
import { lowerDropout } from './dropout.js';
import { lowerEmbedding, lowerEmbeddingBackward } from './embedding.js';
import { lowerFill } from './fill.js';
import { lowerLinear } from './linear.js';
import { lowerMatmul } from './matmul.js';
import { lowerPad } from './pad.js';
import { lowerRecurrent, lowerRecurrentBackward } from './recurrent.js';
import type * as Stack from './recurrent/stack.js';
import { lowerReduceSum } from './reduce-sum.js';
import { lowerReshape } from './reshape.js';
import { lowerSequenceMask } from './sequence-mask.js';
import { lowerSlice } from './slice.js';
import { lowerSoftmaxCrossEntropy, lowerSoftmaxCrossEntropyBackward } from './softmax-cross-entropy.js';
import { lowerSoftmax, lowerSoftmaxBackward } from './softmax.js';
import { lowerStopGradient } from './stop-gradient.js';
import { lowerTranspose } from './transpose.js';
import { lowerUnary, lowerUnaryBackward } from './unary.js';

/** The rules that are here: at first those that most graphs need. */
const RULES: Map<Operation, LoweringRule> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ [
    lowerBinary,
    lowerBinaryMask,
    lowerBroadcast,
    lowerConcat,
    lowerDropout,
    lowerEmbedding,
    lowerEmbeddingBackward,
    lowerFill,
    lowerLinear,
    lowerMatmul,
    lowerPad,
    lowerRecurrent,
    lowerRecurrentBackward,
    lowerReduceSum,
    lowerReshape,
    lowerSequenceMask,
    lowerSlice,
    lowerSoftmax,
    lowerSoftmaxBackward,
    lowerSoftmaxCrossEntropy,
    lowerSoftmaxCrossEntropyBackward,
    lowerStopGradient,
    lowerTranspose,
    lowerUnary,
    lowerUnaryBackward,
  ].map((rule) => [rule.operation, rule]),
);

/**
 * The other rules, by the names of their operations: fetched with their kernels for the first graph that needs
 * them, so that an application does not download what it never runs.
 */
const FETCHED: Readonly<Record<string, () => Promise<LoweringRule>>> = {
  correctTopK: async () => (await import('./correct-top-k.js')).lowerCorrectTopK,
  ctcLoss: async () => (await import('./ctc-loss.js')).lowerCtcLoss,
  ctcLossBackward: async () => (await import('./ctc-loss.js')).lowerCtcLossBackward,
  generate: async () => (await import('./generate.js')).lowerGenerate,
  globalNorm: async () => (await import('./global-norm.js')).lowerGlobalNorm,
  optimizerUpdate: async () => (await import('./optimizer-update.js')).lowerOptimizerUpdate,
  pointwiseLoss: async () => (await import('./pointwise-loss.js')).lowerPointwiseLoss,
  pointwiseLossBackward: async () => (await import('./pointwise-loss.js')).lowerPointwiseLossBackward,
  sampleToken: async () => (await import('./sample-token.js')).lowerSampleToken,
};

/** Layers that run side by side, once they have been fetched. */
let stack: typeof Stack | undefined;

function ruleOf(node: Node): LoweringRule {
  const rule = RULES.get(node.operation);
  if (rule) return rule;
  throw new ArgumentError({
    culprit: `operation "${node.operation.name}"`,
    problem: 'has no lowering for WebGPU',
    remedy: "run this graph with backend: 'cpu', or write its rule in src/gpu/lower/",
  });
}

/**
 * Makes a graph ready to be lowered: writes its loops out, and fetches the rules for its operations.
 * @throws FetchError where a rule cannot be fetched
 */
export async function prepareGraph(recorded: Graph): Promise<Graph> {
  const loops = recorded.nodes.some(({ operation }) => operation.name === 'scan');
  const graph = loops
    ? (await fetched('the rule of "scan"', () => import('./scan.js'))).inlineScans(recorded)
    : recorded;
  const nodes = liveNodes(graph);
  await Promise.all(
    nodes.map((node) => fetched(`the rule of "${node.operation.name}"`, () => fetchRule(node))),
  );
  if (nodes.filter(({ operation }) => operation.name === 'recurrent').length > 1) {
    stack ??= await fetched('layers side by side', () => import('./recurrent/stack.js'));
  }
  return graph;
}

async function fetchRule(node: Node): Promise<void> {
  const { operation } = node;
  if (!RULES.has(operation) && Object.hasOwn(FETCHED, operation.name)) {
    const rule = await FETCHED[operation.name]!();
    RULES.set(rule.operation, rule);
  }
  await RULES.get(operation)?.fetch?.(node);
}

/** A program and the variables that must lie side by side for it. */
export interface LoweredGraph {
  readonly program: Program;
  readonly groups: LoweringContext['groups'];
}

/** Lowers a graph that {@link prepareGraph} gave; gates of recurrent layers above `recomputeAbove` bytes are kept in segments. */
export function lowerGraph(
  graph: Graph,
  recomputeAbove: number,
  settings: LoweringSettings = {},
): LoweredGraph {
  const inOrder = variableWritersLast(liveNodes(graph));
  const { nodes, pairs } = stack?.pairLayers(graph, inOrder, {
    recomputeAbove,
    software: settings.software ?? false,
    writesVariables: (node) => ruleOf(node).writesVariables ?? false,
  }) ?? { nodes: inOrder, pairs: new Map<Node, never>() };
  const context = new LoweringContext(graph, nodes, recomputeAbove, settings);
  const inputs = placeInputs(graph, context, lengthRanges(nodes));
  snapshotUpdatedVariables(graph, context);
  for (const node of nodes) ruleOf(node).prepare?.(node, context);
  const lowered = new Set<unknown>();
  for (const node of nodes) {
    const pair = pairs.get(node);
    if (!pair) ruleOf(node).lower(node, context);
    else if (!lowered.has(pair)) stack!.lowerPair(pair, context);
    lowered.add(pair);
  }

  for (const { value } of graph.outputs) {
    const { storage } = context.view(value);
    if (storage.role === 'transient') storage.role = 'output';
  }
  const updated = graph.updates.map(({ variable, value }) => {
    const storage = context.variableStorage(variable);
    const from = context.view(value);
    if (from.storage !== storage) {
      context.copy(from, { storage, offset: 0, bytes: from.bytes }, `update ${variable.name}`);
    }
    return storage;
  });
  const outputs = graph.outputs.map(({ name, value, history }) => {
    const dtype = value.dtype === 'int32' ? ('int32' as const) : ('float32' as const);
    return [name, { view: context.view(value), dtype, size: value.size, history }] as const;
  });
  return {
    program: {
      name: graph.name,
      packings: context.packings,
      steps: context.steps,
      choices: context.choices,
      inputs,
      outputs: new Map(outputs),
      variables: [...context.variables.values()],
      read: [...graph.reads.keys()],
      updated,
    },
    groups: context.groups,
  };
}

/**
 * Moves the nodes that write variables in place, and all that depends on them, behind the others, so that
 * every read sees the value the variable had when the run began.
 */
function variableWritersLast(nodes: readonly Node[]): Node[] {
  const late = new Set<Node>();
  for (const node of nodes) {
    const dependsOnLate = node.inputs.some(
      (input) => input?.source.kind === 'node' && late.has(input.source.node),
    );
    if (dependsOnLate || ruleOf(node).writesVariables) late.add(node);
  }
  return [...nodes.filter((node) => !late.has(node)), ...nodes.filter((node) => late.has(node))];
}

/** Gives every input its place; scalars share one storage, so that one write feeds them all. */
function placeInputs(
  graph: Graph,
  context: LoweringContext,
  ranges: ReadonlyMap<Value, InputPlace['range']>,
): Program['inputs'] {
  const inputs = new Map<string, InputPlace>();
  const scalars = graph.inputs.filter(({ value }) => value.size === 1);
  const shared = scalars.length > 0 ? context.allocate('scalars', scalars.length * 256, 'input') : null;
  for (const { name, value } of graph.inputs) {
    const place = scalars.findIndex((scalar) => scalar.value === value);
    const view: View =
      shared && place >= 0
        ? { storage: shared.storage, offset: place * 256, bytes: 4 }
        : context.allocate(`input ${name}`, value.size * 4, 'input');
    context.place(value, view);
    const dtype = value.dtype === 'int32' ? 'int32' : 'float32';
    inputs.set(name, { view, dtype, size: value.size, range: ranges.get(value) ?? null });
  }
  return inputs;
}

/** What sequence lengths may be, by the values that hold them. */
function lengthRanges(nodes: readonly Node[]): Map<Value, readonly [number, number]> {
  const ranges = new Map<Value, readonly [number, number]>();
  for (const { operation, inputs, attributes } of nodes) {
    const [lengths] = inputs;
    if (operation !== (sequenceMaskOperation as Operation) || !lengths) continue;
    const { T } = attributes as SequenceMaskAttributes;
    ranges.set(lengths, [1, Math.min(T, ranges.get(lengths)?.[1] ?? T)]);
  }
  return ranges;
}

/**
 * Where a variable's old value is an output, or becomes the value of another variable, while the variable
 * itself changes: copies the old value ahead of everything.
 */
function snapshotUpdatedVariables(graph: Graph, context: LoweringContext): void {
  const changing = new Set(graph.updates.map(({ variable }) => variable));
  const origin = (value: Value): Value => {
    const { source } = value;
    if (source.kind !== 'node') return value;
    const [input] = source.node.inputs;
    const aliases = ['reshape', 'stopGradient', 'slice'].includes(source.node.operation.name);
    return aliases && input ? origin(input) : value;
  };
  const handedOn = [
    ...graph.outputs.map(({ value }) => value),
    ...graph.updates
      .filter(({ variable, value }) => graph.reads.get(variable) !== value)
      .map(({ value }) => value),
  ];
  for (const value of handedOn) {
    const base = origin(value);
    if (base.source.kind !== 'variable' || !changing.has(base.source.variable)) continue;
    const from = context.view(base);
    if (from.storage.role !== 'variable') continue;
    const snapshot = context.allocate(`old ${base.source.variable.name}`, from.bytes);
    context.copy(from, snapshot, 'snapshot');
    context.place(base, snapshot);
  }
}
