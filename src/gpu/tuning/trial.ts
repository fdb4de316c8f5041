/** The steps of one choice, taken out of a plan to be run alone on memory of their own. */
import type { BufferPool, PooledBuffer } from '../buffers.js';
import { writeParameters, type Parameters, type ParameterValues } from '../kernels/kernel.js';
import type { Storage, View } from '../memory.js';
import { PARAMETER_BYTES, type PipelineCache } from '../pipelines.js';
import type { DispatchStep, Program, Step } from '../program.js';
import { Readback } from '../readback.js';

/** What trials need of the executor. */
export interface TrialHost {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
}

/** Numbers in the block of random numbers that memory is filled with again and again. */
const BLOCK = 1 << 14;

/** From −0.5 to 0.5, always the same. */
function randomBlock(): Float32Array<ArrayBuffer> {
  let state = 1;
  return Float32Array.from({ length: BLOCK }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** The memory that all variants of one choice run on, by what a storage is for and its size. */
export class TrialMemory {
  readonly #host: TrialHost;
  readonly #buffers = new Map<string, PooledBuffer>();
  readonly #random = randomBlock();

  constructor(host: TrialHost) {
    this.#host = host;
  }

  /** Made when first asked for. */
  buffer(key: string, bytes: number): GPUBuffer {
    let buffer = this.#buffers.get(key);
    if (!buffer || !this.#host.pool.holds(buffer)) {
      buffer = this.#host.pool.allocate(bytes, `trial ${key}`);
      this.#buffers.set(key, buffer);
    }
    return buffer.gpu;
  }

  /** Gives every buffer the same numbers as each time before. */
  fill(): void {
    for (const { gpu } of this.#buffers.values()) {
      for (let at = 0; at < gpu.size; at += BLOCK * 4) {
        const count = Math.min(BLOCK, (gpu.size - at) / 4);
        this.#host.device.queue.writeBuffer(gpu, at, this.#random, 0, count);
      }
    }
  }

  dispose(): void {
    for (const buffer of this.#buffers.values()) this.#host.pool.free(buffer);
    this.#buffers.clear();
  }
}

type TrialStep =
  | { readonly pipeline: GPUComputePipeline; readonly group: GPUBindGroup; readonly step: DispatchStep }
  | { readonly from: View; readonly to: View };

/** One variant of a choice, ready to run. */
export class Trial {
  readonly #host: TrialHost;
  readonly #steps: readonly TrialStep[];
  readonly #parameters: PooledBuffer;
  readonly #parameterGroup: GPUBindGroup;
  readonly #resolve: (view: View) => GPUBuffer;
  /** What the steps write and others read, by key. */
  readonly #results: ReadonlyMap<string, Storage>;

  private constructor(
    host: TrialHost,
    steps: readonly TrialStep[],
    parameters: readonly [PooledBuffer, GPUBindGroup],
    resolve: (view: View) => GPUBuffer,
    results: ReadonlyMap<string, Storage>,
  ) {
    this.#host = host;
    this.#steps = steps;
    [this.#parameters, this.#parameterGroup] = parameters;
    this.#resolve = resolve;
    this.#results = results;
  }

  /** Compiles the kernels of the first choice with this identity in the program, and binds them. */
  static async create(host: TrialHost, memory: TrialMemory, program: Program, id: string): Promise<Trial> {
    const { first, count } = program.choices.find((site) => site.id === id)!;
    const steps = program.steps.slice(first, first + count);
    const keys = keysOf(program, steps);
    const resolve = ({ storage }: View): GPUBuffer =>
      memory.buffer(keys.all.get(storage)!, Math.ceil(storage.bytes / 16) * 16);
    const dispatches = steps.filter((step): step is DispatchStep => step.type === 'dispatch');
    const kernels = new Map(
      await Promise.all(
        [...new Set(dispatches.map(({ kernel }) => kernel))].map(
          async (kernel) => [kernel, await host.pipelines.get(kernel)] as const,
        ),
      ),
    );
    const buffer = await host.pool.reserve('tuning', () => {
      for (const step of steps) viewsOf(step).forEach(resolve);
      const { UNIFORM, COPY_DST } = GPUBufferUsage;
      const bytes = Math.max(1, dispatches.length) * PARAMETER_BYTES;
      return host.pool.allocate(bytes, 'trial parameters', UNIFORM | COPY_DST);
    });
    const bound = steps.map((step): TrialStep => {
      if (step.type === 'copy') return step;
      const { pipeline, layout } = kernels.get(step.kernel)!;
      const group = host.device.createBindGroup({
        label: `trial ${step.kernel.name}`,
        layout,
        entries: step.views.map((view, binding) => {
          const buffer = resolve(view);
          const size = Math.max(16, Math.ceil(view.bytes / 16) * 16);
          return { binding, resource: { buffer, offset: view.offset, size } };
        }),
      });
      return { pipeline, group, step };
    });
    return new Trial(
      host,
      bound,
      [buffer, uploadParameters(host, dispatches, buffer.gpu)],
      resolve,
      keys.results,
    );
  }

  /** Keys of what this variant writes for others. */
  get resultKeys(): string[] {
    return [...this.#results.keys()];
  }

  /** Runs the steps some times over in one submit, and waits; milliseconds. */
  async run(times: number): Promise<number> {
    const { device } = this.#host;
    const encoder = device.createCommandEncoder({ label: 'trial' });
    for (let i = 0; i < times; i++) this.#encode(encoder);
    const commands = encoder.finish();
    const begin = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - begin;
  }

  #encode(encoder: GPUCommandEncoder): void {
    let pass: GPUComputePassEncoder | null = null;
    let dispatched = 0;
    for (const step of this.#steps) {
      if ('from' in step) {
        pass?.end();
        pass = null;
        const { from, to } = step;
        encoder.copyBufferToBuffer(
          this.#resolve(from),
          from.offset,
          this.#resolve(to),
          to.offset,
          from.bytes,
        );
        continue;
      }
      pass ??= encoder.beginComputePass();
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, step.group);
      pass.setBindGroup(1, this.#parameterGroup, [PARAMETER_BYTES * dispatched++]);
      pass.dispatchWorkgroups(...step.step.workgroups);
    }
    pass?.end();
  }

  /** What one of its results holds now. */
  async read(key: string): Promise<ArrayBuffer> {
    const { device, pool } = this.#host;
    const storage = this.#results.get(key)!;
    const bytes = Math.ceil(storage.bytes / 4) * 4;
    const readback = new Readback(device, pool, bytes, 'tuning');
    const encoder = device.createCommandEncoder({ label: 'trial result' });
    readback.submit(encoder, [{ buffer: this.#resolve({ storage, offset: 0, bytes }), offset: 0, bytes }]);
    return readback.arrive();
  }

  dispose(): void {
    this.#host.pool.free(this.#parameters);
  }
}

/** Bytes that the steps of a choice touch. */
export function trialBytes(program: Program, id: string): number {
  const { first, count } = program.choices.find((site) => site.id === id)!;
  const storages = new Set(
    program.steps
      .slice(first, first + count)
      .flatMap(viewsOf)
      .map((v) => v.storage),
  );
  return [...storages].reduce((sum, { bytes }) => sum + bytes, 0);
}

function viewsOf(step: Step): readonly View[] {
  return step.type === 'dispatch' ? step.views : [step.from, step.to];
}

function writesOf(step: Step): readonly View[] {
  if (step.type === 'copy') return [step.to];
  const accesses = Object.values(step.kernel.bindings);
  return step.views.filter((_, i) => accesses[i] === 'read_write');
}

/**
 * Names for the storages that some steps touch, by which those of another variant are found again: label, size,
 * and the how-many-eth of that kind. What only these steps touch is their own.
 */
function keysOf(
  program: Program,
  steps: readonly Step[],
): { all: ReadonlyMap<Storage, string>; results: ReadonlyMap<string, Storage> } {
  const inside = new Set(steps);
  const outside = new Set([
    ...program.steps
      .filter((step) => !inside.has(step))
      .flatMap((step) => viewsOf(step).map((v) => v.storage)),
    ...[...program.outputs.values()].map(({ view }) => view.storage),
  ]);
  const storages = [...new Set(steps.flatMap((step) => viewsOf(step).map((view) => view.storage)))];
  const written = new Set(steps.flatMap((step) => writesOf(step).map((view) => view.storage)));
  const all = new Map<Storage, string>();
  const results = new Map<string, Storage>();
  const counts = new Map<string, number>();
  for (const storage of storages.sort((a, b) => a.id - b.id)) {
    const shared = outside.has(storage) || storage.role !== 'transient';
    const kind = `${shared ? '' : 'own '}${storage.label}, ${storage.bytes} bytes`;
    const rank = counts.get(kind) ?? 0;
    counts.set(kind, rank + 1);
    const key = `${kind} #${rank}`;
    all.set(storage, key);
    if (shared && written.has(storage)) results.set(key, storage);
  }
  return { all, results };
}

function uploadParameters(
  { device, pipelines }: TrialHost,
  dispatches: readonly DispatchStep[],
  buffer: GPUBuffer,
): GPUBindGroup {
  const data = new DataView(new ArrayBuffer(buffer.size));
  dispatches.forEach(({ kernel, parameters }, i) => {
    writeParameters(kernel, parameters as ParameterValues<Parameters>, data, i * PARAMETER_BYTES);
  });
  device.queue.writeBuffer(buffer, 0, data.buffer);
  return device.createBindGroup({
    label: 'trial parameters',
    layout: pipelines.parameterLayout,
    entries: [{ binding: 0, resource: { buffer, size: PARAMETER_BYTES } }],
  });
}
