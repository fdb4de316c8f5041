/** Which layers of a stack run side by side, and the order of a graph's nodes in which each two of them stand together. */
import type { Graph } from '../../../graph/graph.js';
import type { Operation } from '../../../graph/operation.js';
import type { Node, Value } from '../../../graph/value.js';
import { dropoutOperation, type DropoutAttributes } from '../../../ops/dropout.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import {
  backwardInputPlaces,
  recurrentBackwardOperation,
  RECURRENT_INPUTS,
  recurrentOperation,
} from '../../../ops/recurrent.js';
import { forwardFlops } from './forward.js';
import { fittingSteps, layoutOf, type Layout } from './layout.js';
import { persistsByDefault } from './persistent.js';
import { chunkOf } from './wavefront.js';

type RecurrentNode = Node<RecurrentAttributes>;

/**
 * Floating-point operations of a step above which software adapters gain nothing: a dispatch costs them a third of
 * that, and the weights of two layers share their caches.
 */
const LARGE_STEP = 2 ** 19;

/** Two layers, forward or backward, the second of which reads what the first gives. */
export interface LayerPair {
  readonly isBackward: boolean;
  /** The layer that is nearer to the input. */
  readonly lower: RecurrentNode;
  readonly upper: RecurrentNode;
  /** The dropout of what passes from one to the other. */
  readonly dropout: Node<DropoutAttributes> | null;
}

/** A graph's nodes, reordered, and the pairs among them by each of their nodes. */
export interface PairedNodes {
  readonly nodes: readonly Node[];
  readonly pairs: ReadonlyMap<Node, LayerPair>;
}

/** What pairing depends on. */
export interface PairSettings {
  readonly recomputeAbove: number;
  readonly software: boolean;
  /** Whether a node may write variables in place. */
  readonly writesVariables: (node: Node) => boolean;
}

/**
 * Both layers as one with two directions, which differ in parameters and inputs alone; null for layers that differ in
 * more, or that must run one after the other.
 */
export function pairLayout(lower: Layout, upper: Layout): Layout | null {
  const [direction] = lower.attributes.directions;
  const alike =
    upper.attributes.directions[0] === direction &&
    upper.kernels === lower.kernels &&
    upper.H === lower.H &&
    upper.mask === lower.mask;
  const simple = [lower, upper].every(
    ({ D, variant, projected, attributes, kernels, H, P }) =>
      D === 1 &&
      variant === 'plain' &&
      !projected &&
      !attributes.layerNorm &&
      attributes.segment === 0 &&
      kernels.resetGate === null &&
      H === P,
  );
  if (!alike || !simple) return null;
  return {
    ...lower,
    D: 2,
    attributes: { ...lower.attributes, directions: [direction!, direction!] },
    parameters: [...lower.parameters, ...upper.parameters],
    hasInitial: lower.hasInitial || upper.hasInitial,
    hasBias: lower.hasBias || upper.hasBias,
    label: [lower.label, upper.label].filter(Boolean).join(' + '),
  };
}

/** Steps in a chunk of what {@link pairLayout} gives; null where two layers are not faster so. */
export function chunkOfPair(both: Layout, software: boolean): number | null {
  return chunkOf({ T: both.T, B: both.B, software, persistent: persistsByDefault(both, software) });
}

/** Finds pairs and puts the nodes of each side by side. */
export function pairLayers(graph: Graph, nodes: readonly Node[], settings: PairSettings): PairedNodes {
  const readers = new Map<Value, Node[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) {
      if (input) readers.set(input, [...(readers.get(input) ?? []), node]);
    }
  }
  const kept = new Set([...graph.outputs, ...graph.updates].map(({ value }) => value));
  const readersOf = (value: Value): readonly Node[] => readers.get(value) ?? [];
  let order = nodes;
  const pairs = new Map<Node, LayerPair>();
  for (const node of nodes) {
    const lower = pairs.has(node) ? null : as(recurrentOperation, node);
    for (const forward of lower ? pairsAbove(lower, readersOf) : []) {
      if (pairs.has(forward.upper as unknown as Node) || !fits(forward, readersOf, settings)) continue;
      const backward = backwardOf(forward, readersOf, kept);
      if (backward === undefined) continue;
      const found = backward ? [forward, backward] : [forward];
      const together = found.reduce<readonly Node[] | null>(
        (list, pair) => list && bringTogether(list, nodesOf(pair), settings.writesVariables),
        order,
      );
      if (!together) continue;
      order = together;
      for (const pair of found) for (const member of nodesOf(pair)) pairs.set(member, pair);
      break;
    }
  }
  return { nodes: order, pairs };
}

/** The node as one of an operation; null where it is of another. */
function as<A>(operation: Operation<A>, node: Node | undefined): Node<A> | null {
  return (node?.operation as unknown) === operation ? (node as unknown as Node<A>) : null;
}

/** The node as a dropout of `x`; null where it is something else. */
function asDropout(node: Node | undefined, x: Value): Node<DropoutAttributes> | null {
  return node?.inputs[0] === x ? as(dropoutOperation, node) : null;
}

/** The pairs that a layer could make with those that read its output, through a dropout or not. */
function* pairsAbove(
  lower: RecurrentNode,
  readersOf: (value: Value) => readonly Node[],
): Generator<LayerPair> {
  const y = lower.outputs[0]!;
  for (const reader of readersOf(y)) {
    const dropout = asDropout(reader, y);
    const x = dropout?.outputs[0] ?? y;
    for (const node of dropout ? readersOf(x) : [reader]) {
      const upper = as(recurrentOperation, node);
      if (upper?.inputs[RECURRENT_INPUTS.x] === x) yield { isBackward: false, lower, upper, dropout };
    }
  }
}

/** Whether two layers are alike, fit into memory together, and are faster so. */
function fits(
  { lower, upper }: LayerPair,
  readersOf: (value: Value) => readonly Node[],
  { recomputeAbove, software }: PairSettings,
): boolean {
  const [first, second] = [layoutOf(lower, recomputeAbove), layoutOf(upper, recomputeAbove)];
  const both = pairLayout(first, second);
  const chunk = both && chunkOfPair(both, software);
  if (!chunk) return false;
  if (software && forwardFlops(first) > LARGE_STEP) return false;
  const isSaved = readersOf(lower.outputs.at(-1)!).length > 0;
  if (fittingSteps(both, recomputeAbove) < (isSaved ? both.T : chunk)) return false;
  // Layers that run in one dispatch each are not cut into steps.
  return persistsByDefault(both, software) || !persistsByDefault(first, software);
}

/**
 * What differentiates a pair, as a pair; null where nothing does, undefined where it is not two layers that hand over
 * to each other and to nobody else.
 */
function backwardOf(
  pair: LayerPair,
  readersOf: (value: Value) => readonly Node[],
  kept: ReadonlySet<Value>,
): LayerPair | null | undefined {
  const [belows, aboves] = [readersOf(pair.lower.outputs.at(-1)!), readersOf(pair.upper.outputs.at(-1)!)];
  if (belows.length === 0 && aboves.length === 0) return null;
  if (belows.length !== 1 || aboves.length !== 1) return undefined;
  const lower = as(recurrentBackwardOperation, belows[0]);
  const upper = as(recurrentBackwardOperation, aboves[0]);
  if (!lower || !upper) return undefined;
  /** The one node that reads a value, if nobody else has it. */
  const onlyReader = (value: Value): Node | undefined =>
    readersOf(value).length === 1 && !kept.has(value) ? readersOf(value)[0] : undefined;
  const dX = upper.outputs[0]!;
  const dropout = asDropout(onlyReader(dX), dX);
  const dY = dropout?.outputs[0] ?? dX;
  if (onlyReader(dY) !== belows[0]) return undefined;
  if (lower.inputs[backwardInputPlaces(lower.attributes).dY] !== dY) return undefined;
  return { isBackward: true, lower, upper, dropout };
}

/** The nodes of a pair, each of which reads the one before it. */
export function nodesOf({ isBackward, lower, upper, dropout }: LayerPair): Node[] {
  const nodes = [lower, ...(dropout ? [dropout] : []), upper] as unknown as Node[];
  return isBackward ? nodes.reverse() : nodes;
}

/**
 * Moves the nodes of a group, each of which reads one value of the one before it, to one place: ahead of them what does
 * not depend on them, behind them what does. Null where one of them depends on more, or where a variable may change
 * its value between them.
 */
export function bringTogether(
  nodes: readonly Node[],
  group: readonly Node[],
  writesVariables: (node: Node) => boolean,
): readonly Node[] | null {
  const places = group.map((node) => nodes.indexOf(node));
  const [begin, end] = [Math.min(...places), Math.max(...places) + 1];
  const members = new Set(group);
  const behind = new Set<Node>();
  const ahead: Node[] = [];
  const reads = (node: Node, others: ReadonlySet<Node>): number =>
    node.inputs.filter((input) => input?.source.kind === 'node' && others.has(input.source.node)).length;
  for (const node of nodes.slice(begin, end)) {
    if (writesVariables(node)) return null;
    if (members.has(node)) {
      if (reads(node, behind) > 0 || reads(node, members) > 1) return null;
    } else if (reads(node, members) + reads(node, behind) > 0) behind.add(node);
    else ahead.push(node);
  }
  return [...nodes.slice(0, begin), ...ahead, ...group, ...behind, ...nodes.slice(end)];
}
