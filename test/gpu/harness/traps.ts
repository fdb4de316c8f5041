/**
 * Traps in every plan, so that what a kernel does wrong in memory shows in its results: canary words behind each
 * storage, bound along with it, which no kernel may write; and numbers that are none in the canaries and, before the
 * first step that touches it, in all of a storage, so that what is read beyond its end or was never written spreads.
 * The same between scalars, and behind the parameters of each dispatch; `kept-traps.ts` has those of variables.
 */
import { defineKernel, type Kernel } from '../../../src/gpu/kernels/kernel.js';
import type { Storage, View } from '../../../src/gpu/memory.js';
import { PARAMETER_BYTES } from '../../../src/gpu/pipelines.js';
import { GpuPlan } from '../../../src/gpu/plan.js';
import type { DispatchStep, Program, Step } from '../../../src/gpu/program.js';
import { CANARY, findWrites, watchKept } from './kept-traps.js';

/** A quiet NaN, another one at each place, so that copies of them are seen too. */
const POISON = '(0x7fc00000u | ((i + params.seed) & 0x3fffffu))';
const REPORT = 'trap report';

const poisonKernel = defineKernel({
  name: 'trap_poison',
  file: 'trap_poison.wgsl',
  code: `
struct Params { begin: u32, end: u32, seed: u32, spared: u32 }
@group(0) @binding(0) var<storage, read_write> memory: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  for (var i = params.begin + id.x; i < params.end; i += 64u * workgroups.x) {
    if (params.spared == 0u || i % params.spared != 0u) {
      memory[i] = ${POISON};
    }
  }
}`,
  bindings: { memory: 'read_write' },
  parameters: { begin: 'u32', end: 'u32', seed: 'u32', spared: 'u32' },
});

const watchKernel = defineKernel({
  name: 'trap_watch',
  file: 'trap_watch.wgsl',
  code: `
struct Params { begin: u32, end: u32, seed: u32, place: u32, spared: u32 }
@group(0) @binding(0) var<storage, read_write> memory: array<u32>;
@group(0) @binding(1) var<storage, read_write> report: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;
@compute @workgroup_size(1)
fn main() {
  for (var i = params.begin; i < params.end; i++) {
    if ((params.spared == 0u || i % params.spared != 0u) && memory[i] != ${POISON}) {
      report[params.place] = i - params.begin + 1u;
      return;
    }
  }
}`,
  bindings: { memory: 'read_write', report: 'read_write' },
  parameters: { begin: 'u32', end: 'u32', seed: 'u32', place: 'u32', spared: 'u32' },
});

/** Changes a program before the traps are laid: how tests break a kernel. */
export type Sabotage = (program: Program) => Program;

let sabotage: Sabotage | null = null;
let laid = false;

/** What {@link layTraps} does from now on to programs first; null for nothing. */
export function setSabotage(next: Sabotage | null): void {
  sabotage = next;
}

/** Lays traps in all plans that are made from now on. */
export function layTraps(): void {
  if (laid) return;
  laid = true;
  const create = GpuPlan.create.bind(GpuPlan);
  GpuPlan.create = async (host, program) => {
    const { trapped, names } = trap(sabotage ? sabotage(program) : program);
    watchKept(host);
    const plan = await create(host, trapped);
    const run = plan.run.bind(plan);
    plan.run = async (feeds, options) => {
      const read = options?.read ?? [];
      // A run that is repeated on the next device comes by here again.
      if (read.includes(REPORT)) return run(feeds, options);
      const result = await run(feeds, { ...options, read: [...read, REPORT] });
      const { [REPORT]: report, ...outputs } = result.outputs;
      const sprung = names.flatMap((name, i) =>
        report![i] === 0 ? [] : [`${name}, word ${report![i]! - 1} behind its end`],
      );
      for (const kept of await findWrites(host, program)) sprung.push(`plan "${program.name}", ${kept}`);
      if (sprung.length > 0) throw new Error(`a kernel wrote out of bounds: ${sprung.join('; ')}`);
      return { ...result, outputs };
    };
    return plan;
  };
}

/** The program with traps, and what each number of its report is about. */
function trap(program: Program): { trapped: Program; names: string[] } {
  const storages = new Map<Storage, Storage>();
  const replace = (storage: Storage): Storage => {
    // Variables and their packed copies have traps of their own. Scalars are written with what lies between them.
    const grows = !isKept(storage) && !(storage.role === 'input' && scalars.has(storage));
    if (!grows) return storage;
    let longer = storages.get(storage);
    if (!longer) storages.set(storage, (longer = { ...storage, bytes: alignWord(storage.bytes) + CANARY }));
    return longer;
  };
  const move = (view: View): View => ({ ...view, storage: replace(view.storage) });
  const scalars = new Set(
    [...program.inputs.values()].flatMap(({ view }) => (view.bytes === 4 ? [view.storage] : [])),
  );
  const moveStep = (step: Step): Step =>
    step.type === 'copy'
      ? { ...step, from: move(step.from), to: move(step.to) }
      : { ...padParameters(step), views: widen(step, step.views.map(move)) };

  const packings = program.packings.map(({ storage, steps }) => ({
    storage: replace(storage),
    steps: steps.map((step) => moveStep(step) as DispatchStep),
  }));
  const moved = program.steps.map(moveStep);
  const inputs = new Map(
    [...program.inputs].map(([name, input]) => [name, { ...input, view: move(input.view) }]),
  );
  const outputs = new Map(
    [...program.outputs].map(([name, output]) => [name, { ...output, view: move(output.view) }]),
  );
  const grown = [...storages.values(), ...scalars];
  const size = Math.max(1, grown.length);
  const report: View = {
    storage: { id: -1, label: REPORT, bytes: size * 4, role: 'zeroed' },
    offset: 0,
    bytes: size * 4,
  };
  outputs.set(REPORT, { view: report, dtype: 'int32', size, history: false });

  // What is zeroed, and what the host writes, is poisoned at its end only.
  const steps: Step[] = grown
    .filter(({ role }) => !dies(role))
    .map((storage) => poison(storage, scalars.has(storage)));
  const touched = new Set<Storage>();
  for (const step of moved) {
    for (const { storage } of step.type === 'copy' ? [step.from, step.to] : step.views) {
      if (touched.has(storage)) continue;
      touched.add(storage);
      if (storages.size > 0 && grown.includes(storage) && dies(storage.role))
        steps.push(poison(storage, true));
    }
    steps.push(step);
  }
  const last = new Map<Storage, number>();
  steps.forEach((step, i) => {
    for (const { storage } of step.type === 'copy' ? [step.from, step.to] : step.views) last.set(storage, i);
  });
  const watched: Step[] = steps.flatMap((step, i) => [
    step,
    ...grown.flatMap((storage, place) => (last.get(storage) === i ? [watch(storage, report, place)] : [])),
  ]);
  return {
    trapped: { ...program, packings, steps: watched, inputs, outputs },
    names: grown.map(({ label }) => `plan "${program.name}", ${label}`),
  };
}

/** Whether the plan's memory for it is shared, and so holds anything at its first use. */
function dies(role: Storage['role']): boolean {
  return role === 'transient' || role === 'output';
}

/** Whether it outlives the plan. */
function isKept({ role }: Storage): boolean {
  return role === 'variable' || role === 'packed';
}

/** Bindings that reach into the canary, or as far as the next place that the same dispatch writes. */
function widen({ kernel }: DispatchStep, views: readonly View[]): View[] {
  const accesses = Object.values(kernel.bindings);
  return views.map((view, i) => {
    if (view.bytes === 0) return view;
    if (isKept(view.storage)) {
      // Variables may lie side by side, and what is written must not be bound twice.
      const written = views.filter((other, o) => isKept(other.storage) && accesses[o] === 'read_write');
      const alone = accesses[i] === 'read' ? written.length === 0 : written.length === 1;
      const shared = views.some((other, o) => o !== i && other.storage === view.storage);
      return alone && !shared ? { ...view, bytes: view.bytes + CANARY } : view;
    }
    const others = views.flatMap((other, o) =>
      o !== i &&
      other.storage === view.storage &&
      (accesses[o] === 'read_write' || accesses[i] === 'read_write') &&
      other.offset > view.offset
        ? [other.offset]
        : [],
    );
    const end = Math.min(view.storage.bytes, view.offset + view.bytes + CANARY, ...others);
    return { ...view, bytes: Math.max(view.bytes, end - view.offset) };
  });
}

/** Words of which the first is a scalar: one binding's offset to the next. */
const SCALAR_WORDS = 64;

/** What is left alone of a storage's words: multiples of this; 0 for none. */
function spared({ role, label }: Storage): number {
  return role === 'input' && label === 'scalars' ? SCALAR_WORDS : 0;
}

const padded = new WeakMap<Kernel, Kernel>();

/** The step, with numbers that are none behind its parameters. */
function padParameters(step: DispatchStep): DispatchStep {
  const sizes = { u32: 4, f32: 4, vec2u: 8, vec2f: 8, vec4u: 16 };
  let bytes = 0;
  for (const type of Object.values(step.kernel.parameters)) {
    bytes = Math.ceil(bytes / sizes[type]) * sizes[type] + sizes[type];
  }
  const names = Array.from({ length: (PARAMETER_BYTES - bytes) / 4 }, (_, i) => `trap ${i}`);
  let kernel = padded.get(step.kernel);
  if (!kernel) {
    const more = Object.fromEntries(names.map((name) => [name, 'u32'] as const));
    kernel = { ...step.kernel, parameters: { ...step.kernel.parameters, ...more } };
    padded.set(step.kernel, kernel);
  }
  const values = Object.fromEntries(names.map((name, i) => [name, 0x7fc00001 + i]));
  return { ...step, kernel, parameters: { ...step.parameters, ...values } };
}

function poison(storage: Storage, all: boolean): DispatchStep {
  const end = storage.bytes / 4;
  const begin = all ? 0 : (storage.bytes - CANARY) / 4;
  return {
    ...STEP,
    kernel: poisonKernel,
    views: [{ storage, offset: 0, bytes: storage.bytes }],
    parameters: { begin, end, seed: seedOf(storage), spared: spared(storage) },
    workgroups: [Math.min(1024, Math.ceil((end - begin) / 64)), 1, 1],
  };
}

function watch(storage: Storage, report: View, place: number): DispatchStep {
  const end = storage.bytes / 4;
  return {
    ...STEP,
    kernel: watchKernel,
    views: [{ storage, offset: 0, bytes: storage.bytes }, report],
    parameters: {
      begin: spared(storage) === SCALAR_WORDS ? 0 : end - CANARY / 4,
      end,
      seed: seedOf(storage),
      place,
      spared: spared(storage),
    },
    workgroups: [1, 1, 1],
  };
}

function seedOf({ id }: Storage): number {
  return (id + 1) * 7919;
}

const STEP = { type: 'dispatch', label: 'trap', detail: '', flops: 0, variant: null } as const;

function alignWord(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
