/** `scan` on the GPU: the loop is written out, each step a copy of the body's operations. */
import { Graph } from '../../graph/graph.js';
import type { Node, Value } from '../../graph/value.js';
import { stack } from '../../ops/concat.js';
import { reshape } from '../../ops/reshape.js';
import { inlineGraph, scanOperation, type ScanAttributes } from '../../ops/scan.js';
import { slice } from '../../ops/slice.js';

/** The same graph without `scan` nodes; the graph itself where it has none. */
export function inlineScans(graph: Graph): Graph {
  if (!graph.nodes.some(isScan)) return graph;
  const result = new Graph(graph.name);
  const copies = new Map<Value, Value>();
  for (const { name, value } of graph.inputs) {
    copies.set(value, result.input(name, value.shape, value.dtype === 'int32' ? 'int32' : 'float32'));
  }
  for (const [variable, value] of graph.reads) copies.set(value, result.read(variable));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input ? copies.get(input)! : null));
    const outputs = isScan(node)
      ? unroll(result, inputs as Value[], node.attributes as ScanAttributes)
      : result.record(node.operation, inputs, node.attributes, node.label);
    node.outputs.forEach((output, i) => copies.set(output, outputs[i]!));
  }
  for (const { name, value, history } of graph.outputs) result.output(name, copies.get(value)!, { history });
  for (const { variable, value } of graph.updates) result.update(variable, copies.get(value)!);
  return result;
}

function isScan({ operation }: Node): boolean {
  return (operation as unknown) === scanOperation;
}

/** Records all steps of one loop; a body may hold loops of its own. */
function unroll(graph: Graph, inputs: readonly Value[], attributes: ScanAttributes): Value[] {
  const { length, carryCount, xCount, yCount, reverse } = attributes;
  const body = inlineScans(attributes.body);
  let carry = inputs.slice(0, carryCount);
  const xs = inputs.slice(carryCount, carryCount + xCount);
  const consts = inputs.slice(carryCount + xCount);
  const beginnings = carry.map(() => new Array<Value>(length));
  const ys = Array.from({ length: yCount }, () => new Array<Value>(length));
  for (let i = 0; i < length; i++) {
    const t = reverse ? length - 1 - i : i;
    carry.forEach((value, k) => (beginnings[k]![t] = value));
    const outputs = inlineGraph(body, graph, [
      ...carry.map((value, k) => [`carry${k}`, value] as const),
      ...xs.map((value, k) => [`x${k}`, at(value, t)] as const),
      ...consts.map((value, k) => [`const${k}`, value] as const),
    ]);
    carry = carry.map((_, k) => outputs.get(`carry${k}`)!);
    ys.forEach((list, k) => (list[t] = outputs.get(`y${k}`)!));
  }
  return [...carry, ...ys.map((list) => stack(list)), ...beginnings.map((list) => stack(list))];
}

/** `value[t]`. */
function at(value: Value, t: number): Value {
  const rest = value.shape.slice(1);
  return reshape(slice(value, [t, ...rest.map(() => 0)], [1, ...rest]), rest);
}
