/** What a lowering rule works with: views of values, memory to ask for, and the list of steps it appends to. */
import { DeviceError, LimitError, ShaderError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import type { Operation } from '../../graph/operation.js';
import type { Node, Value, Variable } from '../../graph/value.js';
import type { WeightPrecision } from '../device.js';
import {
  MAX_WORKGROUPS,
  type Bindings,
  type Kernel,
  type Parameters,
  type ParameterValues,
} from '../kernels/kernel.js';
import { alignUp, ALIGNMENT, type Storage, type StorageRole, type View } from '../memory.js';
import type { DispatchStep, Packing, Step } from '../program.js';
import { kernelName, variantName, type Choice, type ChoiceSite, type LoweringSettings } from './choice.js';

/** How one operation becomes dispatches. */
export interface LoweringRule<A = unknown> {
  readonly operation: Operation<A>;
  /** Fetches what this node needs and most do not, if it is not here. */
  readonly fetch?: (node: Node<A>) => Promise<unknown> | null;
  /** Runs before any node is lowered, to say where inputs of this node should be written. */
  readonly prepare?: (node: Node<A>, context: LoweringContext) => void;
  readonly lower: (node: Node<A>, context: LoweringContext) => void;
  /** Whether it may write variables in place, so that everything which reads them must come first. */
  readonly writesVariables?: boolean;
}

/** Declares a lowering rule; only there so that its attributes' type is checked once. */
/* @__NO_SIDE_EFFECTS__ */
export function defineLowering<A>(rule: LoweringRule<A>): LoweringRule {
  return rule as LoweringRule;
}

/** What {@link LoweringContext.dispatch} takes beside the kernel. */
export interface DispatchDescription<B extends Bindings, P extends Parameters> {
  readonly buffers: { readonly [K in keyof B]: View };
  readonly parameters: ParameterValues<P>;
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
  readonly detail?: string;
  readonly flops?: number;
}

/** The state of lowering one graph. */
export class LoweringContext {
  readonly graph: Graph;
  readonly steps: Step[] = [];
  readonly packings: Packing[] = [];
  /** Variables that must lie side by side, in order. */
  readonly groups: Variable[][] = [];
  /** The choices made so far. */
  readonly choices: ChoiceSite[] = [];
  readonly #views = new Map<Value, View>();
  readonly #destinations = new Map<Value, View>();
  readonly #residuals = new Map<Value, unknown>();
  readonly #consumers: ReadonlyMap<Value, readonly Node[]>;
  readonly #positions: ReadonlyMap<Node, number>;
  readonly #kept: ReadonlySet<Value>;
  readonly #tenants = new Map<Storage, Set<Value>>();
  readonly #pinned = new Set<Storage>();
  readonly #variables = new Map<Variable, Storage>();
  readonly #packed = new Map<string, View>();
  readonly #nothing = new Map<string, View>();
  #target: Step[] = this.steps;
  #nextStorageId = 0;

  /** Bytes that the gates of a recurrent layer may take before they are kept in segments. */
  readonly recomputeAbove: number;
  /** Whether shaders run on the processor: for the defaults of choices. */
  readonly software: boolean;
  /** How kernels that write tokens store weights. */
  readonly weightPrecision: WeightPrecision;
  /** Whether shaders may use subgroups. */
  readonly subgroups: boolean;
  readonly #decisions: LoweringSettings['decisions'];
  readonly #leftOut: LoweringSettings['leftOut'];
  /** The one whose steps are being appended. */
  #variant: string | null = null;

  /** @param nodes the nodes that will be lowered, in their order */
  constructor(
    graph: Graph,
    nodes: readonly Node[],
    recomputeAbove: number,
    {
      software = false,
      subgroups = false,
      decisions,
      leftOut,
      weightPrecision = 'float32',
    }: LoweringSettings = {},
  ) {
    this.graph = graph;
    this.recomputeAbove = recomputeAbove;
    this.software = software;
    this.weightPrecision = weightPrecision;
    this.subgroups = subgroups;
    this.#decisions = decisions;
    this.#leftOut = leftOut;
    const consumers = new Map<Value, Node[]>();
    for (const node of nodes) {
      for (const input of node.inputs) {
        if (!input) continue;
        const list = consumers.get(input);
        if (list) list.push(node);
        else consumers.set(input, [node]);
      }
    }
    this.#consumers = consumers;
    this.#positions = new Map(nodes.map((node, position) => [node, position]));
    this.#kept = new Set([...graph.outputs, ...graph.updates].map(({ value }) => value));
  }

  /** The variables seen so far, with their storages. */
  get variables(): ReadonlyMap<Variable, Storage> {
    return this.#variables;
  }

  /** Whether anything reads this value; what nothing reads need not be computed. */
  isRead(value: Value | undefined): boolean {
    return value !== undefined && (this.#consumers.has(value) || this.#kept.has(value));
  }

  /** Whether a value is an output of the graph, or becomes that of a variable. */
  isOutput(value: Value): boolean {
    return this.#kept.has(value);
  }

  /** Whether a value has its numbers, or will be computed by the steps so far. */
  isPlaced(value: Value): boolean {
    return this.#views.has(value);
  }

  /** The nodes that read a value. */
  consumers(value: Value): readonly Node[] {
    return this.#consumers.get(value) ?? [];
  }

  /** Where the numbers of a value lie. */
  view(value: Value): View {
    const view = this.#views.get(value);
    if (view) return view;
    if (value.source.kind === 'variable') {
      const storage = this.variableStorage(value.source.variable);
      const placed = { storage, offset: 0, bytes: value.size * 4 };
      this.#settle(value, placed);
      return placed;
    }
    throw new DeviceError({
      culprit: `lowering of "${this.graph.name}"`,
      problem: `value ${value.id} is read before it is computed`,
      remedy: 'this is a fault of the library: please report it',
    });
  }

  /** A new place for a result, or the place a later operation has asked it to be written to. */
  output(value: Value, label: string): View {
    const view = this.#destinations.get(value) ?? this.allocate(label, value.size * 4);
    this.#settle(value, view);
    return view;
  }

  /** As {@link output}, for a result that several parts of a rule add to: the same place each time. */
  destination(value: Value, label: string): View {
    return this.#views.get(value) ?? this.output(value, label);
  }

  /** Lets a result lie where other numbers already lie; copies only if it was asked to be elsewhere. */
  alias(value: Value, view: View, label: string): void {
    const destination = this.#destinations.get(value);
    if (destination) this.copy(view, destination, label);
    this.#settle(value, destination ?? { ...view, bytes: value.size * 4 });
  }

  /** Asks that `value` be written to `view` when it is computed; used before lowering begins. */
  requestDestination(value: Value, view: View): boolean {
    if (this.#destinations.has(value) || value.source.kind !== 'node') return false;
    this.#destinations.set(value, view);
    return true;
  }

  /** Says where an input lies, or where a snapshot of a variable was put. */
  place(value: Value, view: View): void {
    this.#settle(value, view);
  }

  #settle(value: Value, view: View): void {
    this.#views.set(value, view);
    const tenants = this.#tenants.get(view.storage);
    if (tenants) tenants.add(value);
    else this.#tenants.set(view.storage, new Set([value]));
  }

  /** New memory of the plan's own. */
  allocate(label: string, bytes: number, role: StorageRole = 'transient'): View {
    const storage: Storage = { id: this.#nextStorageId++, label, bytes: Math.max(4, bytes), role };
    return { storage, offset: 0, bytes: storage.bytes };
  }

  /** Keeps a storage from being overwritten in place by a later operation. */
  pin(storage: Storage): void {
    this.#pinned.add(storage);
  }

  /**
   * Whether `node` may write its result over its input `value`: no one else reads what lies there, apart from
   * the nodes of `ignoring`, which read something else of it.
   */
  canOverwrite<A>(value: Value, node: Node<A>, ignoring: readonly Node[]): boolean {
    const { storage } = this.view(value);
    if (storage.role !== 'transient' || this.#pinned.has(storage)) return false;
    for (const tenant of this.#tenants.get(storage) ?? []) {
      if (this.#kept.has(tenant)) return false;
      const now = this.#positions.get(node as Node)!;
      const reads = (other: Node): boolean => this.#positions.get(other)! > now && !ignoring.includes(other);
      if (this.consumers(tenant).some(reads)) return false;
    }
    return true;
  }

  /** What a forward operation left for its backward one. */
  residual(value: Value): unknown {
    return this.#residuals.get(value);
  }

  setResidual(value: Value, content: unknown): void {
    this.#residuals.set(value, content);
  }

  /** For a binding that a dispatch declares but does not use. */
  nothing(access: 'read' | 'read_write'): View {
    let view = this.#nothing.get(access);
    if (!view) {
      view = this.allocate(`unused (${access})`, ALIGNMENT, 'zeroed');
      this.#nothing.set(access, view);
    }
    return view;
  }

  /** The storage of a variable. */
  variableStorage(variable: Variable): Storage {
    let storage = this.#variables.get(variable);
    if (!storage) {
      storage = {
        id: this.#nextStorageId++,
        label: variable.name,
        bytes: variable.size * 4,
        role: 'variable',
        variable,
      };
      this.#variables.set(variable, storage);
    }
    return storage;
  }

  /** One view over several variables, which will lie side by side on aligned offsets, padded with zeros. */
  together(variables: readonly Variable[]): View {
    this.groups.push([...variables]);
    const storages = variables.map((variable) => this.variableStorage(variable));
    const bytes = variables.reduce((sum, variable) => sum + alignUp(variable.size * 4), 0);
    return { storage: storages[0]!, offset: 0, bytes };
  }

  /**
   * A rearranged copy of some values, zero where `pack` writes nothing. That of variables outlives the plan
   * and is made again only when one of them has changed; that of computed values is made where it is first
   * asked for.
   */
  packed(
    values: readonly Value[],
    packing: string,
    bytes: number,
    pack: (from: readonly View[], to: View) => void,
  ): View {
    const key = `${values.map(({ id }) => id).join()}/${packing}`;
    let to = this.#packed.get(key);
    if (to) return to;
    const from = values.map((value) => this.view(value));
    const variables = from.map(({ storage }) => (storage.role === 'variable' ? storage.variable! : null));
    if (variables.every((variable) => variable !== null)) {
      const storage: Storage = {
        id: this.#nextStorageId++,
        label: `${variables.map(({ name }) => name).join(' + ')} ${packing}`,
        bytes,
        role: 'packed',
        variables,
        packing,
      };
      to = { storage, offset: 0, bytes };
      const steps: Step[] = [];
      this.#target = steps;
      pack(from, to);
      this.#target = this.steps;
      this.packings.push({ storage, steps: steps as DispatchStep[] });
    } else {
      to = this.allocate(`${packing} copy`, bytes, 'zeroed');
      pack(from, to);
    }
    this.#packed.set(key, to);
    return to;
  }

  /**
   * Appends the steps of the variant that was decided on, or else of the first; none that is left out.
   * @throws ShaderError where all of them are left out
   */
  choose({ family, key, variants }: Choice): void {
    const id = `${family} ${key}`;
    const decided = this.#decisions?.get(id);
    const reason = (name: string): string | undefined => this.#leftOut?.get(variantName(family, name));
    const offered = variants.filter(({ name }) => reason(name) === undefined);
    const variant = offered.find(({ name }) => name === decided) ?? offered[0];
    if (!variant) {
      const reasons = variants.map(({ name }) => `${name}: ${reason(name)!}`);
      throw unusable(id, `no variant works on this adapter (${reasons.join('; ')})`);
    }
    const first = this.steps.length;
    const inPlan = this.#target === this.steps;
    const outer = this.#variant;
    this.#variant = variantName(family, variant.name);
    variant.emit();
    this.#variant = outer;
    // What packs a weight runs rarely: not worth measuring.
    if (!inPlan) return;
    this.choices.push({
      id,
      family,
      chosen: variant.name,
      variants: offered.map(({ name, orderClass }) => ({ name, orderClass })),
      first,
      count: this.steps.length - first,
    });
  }

  /** Appends steps that are no part of the variant whose steps are being appended, but stand among them. */
  apart(emit: () => void): void {
    const outer = this.#variant;
    this.#variant = null;
    emit();
    this.#variant = outer;
  }

  /**
   * Appends a dispatch.
   * @throws ShaderError where there is no choice and the kernel is left out, LimitError for too many workgroups
   */
  dispatch<B extends Bindings, P extends Parameters>(
    kernel: Kernel<B, P>,
    description: DispatchDescription<B, P>,
  ): void {
    const { buffers, parameters, workgroups, label, detail = '', flops = 0 } = description;
    const variant = this.#variant;
    const reason = variant === null && this.#leftOut?.get(kernelName(kernel));
    if (reason) throw unusable(kernelName(kernel), `does not work on this adapter (${reason})`);
    const names = Object.keys(kernel.bindings);
    const written = new Set(
      names.filter((name) => kernel.bindings[name] === 'read_write').map((name) => buffers[name]!.storage),
    );
    const views = names.map((name) => {
      const view = buffers[name]!;
      if (kernel.bindings[name] === 'read_write') return view;
      // A binding begins on an aligned offset, and a buffer cannot be read and written in one dispatch.
      if (view.offset % ALIGNMENT === 0 && !written.has(view.storage)) return view;
      const copy = this.allocate(`${view.storage.label} (aligned)`, view.bytes);
      this.copy(view, copy, label);
      return copy;
    });
    const most = Math.max(...workgroups);
    if (most > MAX_WORKGROUPS) {
      throw new LimitError({
        culprit: `${kernel.name} ${label}`.trim(),
        problem: `needs ${most} workgroups, maxComputeWorkgroupsPerDimension is ${MAX_WORKGROUPS}`,
        remedy: 'use a smaller batch, sequence or model',
      });
    }
    this.#target.push({
      type: 'dispatch',
      kernel,
      variant,
      views,
      parameters,
      workgroups,
      label,
      detail,
      flops,
    });
  }

  /** Appends a copy of the whole of `from`. */
  copy(from: View, to: View, label: string): void {
    const bytes = Math.min(from.bytes, to.bytes);
    this.#target.push({ type: 'copy', from: { ...from, bytes }, to: { ...to, bytes }, label });
  }
}

function unusable(culprit: string, problem: string): ShaderError {
  return new ShaderError({ culprit, problem, remedy: "compute with backend: 'cpu', or on another adapter" });
}
