/** A graph made ready for the CPU: its live nodes in order, and after which of them each array is free. */
import { liveNodes, type Graph } from '../graph/graph.js';
import { LimitError } from '../graph/errors.js';
import { formatShape } from '../graph/shape.js';
import { culpritOf, MAX_ELEMENTS, type Node, type Value } from '../graph/value.js';
import { KernelCall, Residual, type Kernel, type Slot, type Subprogram } from './kernel.js';
import { kernelOf } from './kernels.js';
import type { Arena, Data } from './storage.js';

/** One node of a program. */
export interface ProgramStep {
  readonly node: Node;
  readonly kernel: Kernel;
  /** Which outputs something reads. */
  readonly wanted: readonly boolean[];
  /** Values that nothing reads after this step. */
  readonly dying: readonly Value[];
  readonly flops: number;
}

/** Where values are while a program runs. */
export type Environment = Map<Value, Slot>;

/** The steps that a graph's outputs and updates need. */
export class Program implements Subprogram {
  readonly graph: Graph;
  readonly steps: readonly ProgramStep[];
  readonly flops: number;
  readonly #bodies = new Map<Graph, Program>();

  constructor(graph: Graph) {
    this.graph = graph;
    const nodes = liveNodes(graph);
    for (const node of nodes) node.outputs.forEach((output) => checkElements(node, output));
    const read = new Set<Value>();
    const kept = new Set<Value>();
    for (const { value } of [...graph.outputs, ...graph.updates]) kept.add(value);
    for (const node of nodes) for (const input of node.inputs) if (input) read.add(input);

    const seen = new Set<Value>(kept);
    const dying = new Map<Node, Value[]>();
    for (const node of [...nodes].reverse()) {
      const last: Value[] = [];
      for (const value of [...node.inputs, ...node.outputs]) {
        if (value?.source.kind !== 'node' || seen.has(value)) continue;
        seen.add(value);
        last.push(value);
      }
      dying.set(node, last);
    }
    this.steps = nodes.map((node) => {
      const kernel = kernelOf(node);
      return {
        node,
        kernel,
        wanted: node.outputs.map((output) => read.has(output) || kept.has(output)),
        dying: dying.get(node)!,
        flops: kernel.flops(node, this.prepare),
      };
    });
    this.flops = this.steps.reduce((total, step) => total + step.flops, 0);
  }

  /** Makes the graph of a loop's body ready, once. */
  readonly prepare = (body: Graph): Program => {
    let program = this.#bodies.get(body);
    if (!program) {
      program = new Program(body);
      this.#bodies.set(body, program);
    }
    return program;
  };

  /**
   * Runs every step. `environment` begins with the inputs and variables; at the end it holds what outputs
   * and updates need besides, and those arrays are the caller's to release.
   */
  execute(environment: Environment, arena: Arena): void {
    const given = new Set(environment.keys());
    try {
      for (const { node, kernel, wanted, dying } of this.steps) {
        const inputs = node.inputs.map((input) => (input ? environment.get(input)! : null));
        const call = new KernelCall(node, inputs, wanted, arena, this.prepare);
        let outputs: (Slot | null)[];
        try {
          outputs = kernel.run(call);
        } finally {
          call.finish();
        }
        node.outputs.forEach((output, i) => {
          const slot = outputs[i];
          if (slot) environment.set(output, slot);
        });
        for (const value of dying) this.#free(environment, value, arena);
      }
    } catch (error) {
      for (const value of [...environment.keys()]) {
        if (!given.has(value)) this.#free(environment, value, arena);
      }
      throw error;
    }
  }

  /** Runs once with inputs and outputs by name. */
  run(inputs: ReadonlyMap<string, Data>, arena: Arena): ReadonlyMap<string, Data> {
    const environment: Environment = new Map();
    for (const { name, value } of this.graph.inputs) environment.set(value, inputs.get(name)!);
    this.execute(environment, arena);
    const outputs = new Map<string, Data>();
    const handedOut = new Set<Slot>();
    for (const { name, value } of this.graph.outputs) {
      const slot = environment.get(value) as Data;
      // An input passed through, or one value under two names, becomes an array of its own.
      const owned = value.source.kind === 'node' && !handedOut.has(slot);
      handedOut.add(slot);
      outputs.set(name, owned ? slot : copyOf(slot, arena));
    }
    return outputs;
  }

  #free(environment: Environment, value: Value, arena: Arena): void {
    const slot = environment.get(value);
    if (!slot) return;
    environment.delete(value);
    if (slot instanceof Residual) for (const array of slot.arrays) arena.release(array);
    else arena.release(slot);
  }
}

function copyOf(data: Data, arena: Arena): Data {
  const copy = data instanceof Int32Array ? arena.int(data.length) : arena.real(data.length);
  copy.set(data);
  return copy;
}

/** Throws before anything is allocated for a value that no array could hold. */
function checkElements(node: Node, { size, shape }: Value): void {
  if (size <= MAX_ELEMENTS) return;
  throw new LimitError({
    culprit: culpritOf(node),
    problem: `its result ${formatShape(shape)} holds ${size} numbers, an array holds at most ${MAX_ELEMENTS}`,
    remedy: 'use a smaller batch, sequence or model',
  });
}
