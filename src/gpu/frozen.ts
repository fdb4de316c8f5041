/** A trained network, token by token, on WebGPU: one dispatch a layer and one for the logits, on one device after another. */
import { DeviceError, DeviceLostError, DisposedError, RnnError, ShaderError } from '../graph/errors.js';
import {
  FROZEN_GATES,
  type FrozenNetwork,
  type FrozenReader,
  type FrozenRunner,
  type FrozenState,
} from '../graph/frozen.js';
import { BufferPool, type PooledBuffer } from './buffers.js';
import { discard, type DeviceOptions, type OpenedDevice, type WeightPrecision } from './device.js';
import { openFirstDevice } from './first-device.js';
import { toFloat16 } from './float16.js';
import { frozenStepKernel } from './kernels/frozen.js';
import { foldWorkgroups, writeParameters } from './kernels/kernel.js';
import { PARAMETER_BYTES, PipelineCache, type CompiledKernel } from './pipelines.js';
import { Readback } from './readback.js';
import { Reopening } from './reopening.js';
import { WatchedDevice } from './watched-device.js';

const CULPRIT = 'text generator';

/** The codes of the kernel. */
const CELLS = { tanh: 1, relu: 2, gru: 3, lstm: 4 } as const;

/** One dispatch of a step, but for what changes from step to step and from reader to reader. */
interface Stage {
  readonly label: string;
  readonly cell: number;
  readonly gates: number;
  readonly inputs: number;
  readonly units: number;
  readonly recurrent: number;
  readonly weights: readonly Float32Array[];
}

function stagesOf(network: FrozenNetwork): Stage[] {
  const { cell, nonlinearity, vocabSize, hiddenSize, layers, outputWeight, outputBias } = network;
  return [
    ...layers.map(({ inputSize, weightIh, weightHh, biasIh, biasHh }, i) => ({
      label: `layer ${i}`,
      cell: CELLS[cell === 'rnn' ? nonlinearity : cell],
      gates: FROZEN_GATES[cell],
      inputs: inputSize,
      units: hiddenSize,
      recurrent: hiddenSize,
      weights: [weightIh, weightHh, biasIh, biasHh],
    })),
    {
      label: 'output',
      cell: 0,
      gates: 1,
      inputs: hiddenSize,
      units: vocabSize,
      recurrent: 0,
      weights: [outputWeight, outputBias],
    },
  ];
}

/** Numbers as they lie on the device, one array behind the other. */
type Stored = readonly (Float32Array | Uint16Array)[];

/** Matrices, which come before the biases, in float16. */
function halfOf({ weights, inputs, recurrent }: Stage): Stored {
  const matrices = weights.length / 2;
  return weights.map((array, i) => (i < matrices ? toFloat16(array, i === 0 ? inputs : recurrent) : array));
}

/** Options of {@link GpuFrozenRunner.create}. */
export interface GpuFrozenOptions extends DeviceOptions {
  /** What goes on where there is no device any more; nothing does by default. */
  readonly fallback?: (() => FrozenRunner) | null;
}

/** Runs on WebGPU, in float32, perhaps with weights in float16. When the device is lost, another one takes its place. */
export class GpuFrozenRunner implements FrozenRunner {
  readonly network: FrozenNetwork;
  readonly stages: readonly Stage[];
  readonly weightPrecision: WeightPrecision;
  readonly #options: GpuFrozenOptions;
  readonly #reopening: Reopening;
  #home?: Home;
  #losses = 0;
  #recovering: Promise<void> | null = null;
  #fallback: FrozenRunner | null = null;
  #disposed = false;

  private constructor(network: FrozenNetwork, options: GpuFrozenOptions) {
    this.network = network;
    this.stages = stagesOf(network);
    this.weightPrecision = options.weightPrecision ?? 'float32';
    this.#options = options;
    this.#reopening = new Reopening(options);
  }

  /**
   * Opens a device, or takes the caller's, and brings the weights there.
   * @throws DeviceError where WebGPU is missing or offers no adapter, LimitError where a layer is too large for it,
   * OutOfMemoryError
   */
  static async create(network: FrozenNetwork, options: GpuFrozenOptions = {}): Promise<GpuFrozenRunner> {
    const runner = new GpuFrozenRunner(network, options);
    await runner.#settle(await openFirstDevice(options));
    await runner.home();
    return runner;
  }

  /** What computes, for people. */
  get description(): string {
    return this.#fallback?.description ?? `webgpu: ${this.#home!.opened.description}`;
  }

  /** Whether that is the processor after all. */
  get software(): boolean {
    return this.#home!.opened.software;
  }

  start(): FrozenReader {
    this.checkAlive();
    return new GpuReader(this);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#fallback?.dispose();
    this.#home?.dispose();
  }

  /** @throws DisposedError */
  checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: CULPRIT, problem: 'was disposed', remedy: 'load it again' });
  }

  /**
   * The device, or the one that takes its place; else what does.
   * @throws DeviceLostError where there is none, and never will be
   */
  async home(): Promise<Home | FrozenRunner> {
    let waited: Promise<void> | null = null;
    while (waited !== this.#recovering) await (waited = this.#recovering);
    this.checkAlive();
    const home = this.#home!;
    if (home.lost === null) return home;
    if (this.#fallback) return this.#fallback;
    const { cause } = this.#reopening;
    throw new DeviceLostError({
      culprit: `webgpu: ${home.opened.description}`,
      problem: `the device was lost (${home.lost}), and there is no other`,
      remedy: "load the model again, with backend: 'cpu' for instance",
      losses: this.#losses,
      final: true,
      ...(cause ? { cause } : {}),
    });
  }

  /** Brings the weights to a device. */
  async #settle(opened: OpenedDevice): Promise<void> {
    const home = new Home(opened);
    try {
      await home.guard(home.upload(this));
    } catch (error) {
      const begins = !this.#home && (await home.explains(error));
      home.dispose();
      // Where it is the first one, others are asked for.
      if (!begins) throw error;
    }
    if (this.#disposed) {
      home.dispose();
      return;
    }
    home.onLost = () => this.#replace(home);
    this.#home = home;
    if (home.lost !== null) this.#replace(home);
  }

  #replace(home: Home): void {
    if (this.#disposed) return;
    this.#losses++;
    home.pool.dispose();
    this.#recovering = this.#recover(performance.now() - home.began);
    const { onLost } = this.#options.recovery || {};
    queueMicrotask(() => onLost?.(home.lost!));
  }

  async #recover(life: number): Promise<void> {
    const { recovery, fallback } = this.#options;
    const found = await this.#reopening.next(life, async (opened) => {
      if (this.#disposed) {
        discard(opened);
        return;
      }
      await this.#settle(opened);
      const { onRecovered } = recovery || {};
      queueMicrotask(() => onRecovered?.(opened.description));
    });
    if (!found && recovery !== false) this.#fallback = fallback?.() ?? null;
  }
}

/** A device with the weights on it. */
class Home extends WatchedDevice {
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  kernel!: CompiledKernel;
  /** The embedding, and the weights of each stage. */
  weights!: readonly GPUBuffer[];

  constructor(opened: OpenedDevice) {
    super(opened);
    this.pool = new BufferPool(this.device);
    this.pipelines = new PipelineCache(this.device);
  }

  async upload({ network, stages, weightPrecision }: GpuFrozenRunner): Promise<void> {
    const { pool, device } = this;
    this.kernel = await this.pipelines.get(frozenStepKernel[weightPrecision]);
    const stored = weightPrecision === 'float16' ? stages.map(halfOf) : stages.map(({ weights }) => weights);
    const lists: readonly Stored[] = [[network.embedding], ...stored];
    const allocate = (): GPUBuffer[] =>
      lists.map((arrays, i) => {
        const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
        return pool.allocate(bytes, stages[i - 1]?.label ?? 'embedding').gpu;
      });
    this.weights = await pool.reserve(CULPRIT, allocate);
    lists.forEach((arrays, i) => {
      let at = 0;
      for (const array of arrays) {
        device.queue.writeBuffer(this.weights[i]!, at, array as ArrayBufferView<ArrayBuffer>);
        at += array.byteLength;
      }
    });
  }

  /** Whether the loss of the device explains an error. */
  async explains(error: unknown): Promise<boolean> {
    // Errors of this library are no news of a loss, but a shader that does not compile may be.
    const own = error instanceof RnnError && !(error instanceof ShaderError);
    return this.lost !== null || (!own && (await this.isLost()));
  }

  dispose(): void {
    this.pool.dispose();
    discard(this.opened);
  }
}

/** A state on a device. Its two halves take turns: one is read while the other is written. */
class Place {
  readonly home: Home;
  readonly #stages: readonly Stage[];
  /** Of each stage, and at the end the parameters of all. */
  readonly #buffers: readonly PooledBuffer[];
  readonly #groups: readonly GPUBindGroup[];
  readonly #values: DataView<ArrayBuffer>;
  /** The half that is read next. */
  #half = 0;

  constructor(home: Home, stages: readonly Stage[], buffers: readonly PooledBuffer[]) {
    const { device, pipelines, kernel, weights } = home;
    this.home = home;
    this.#stages = stages;
    this.#buffers = buffers;
    this.#groups = buffers.map(({ gpu: buffer }, i) => {
      const last = i === stages.length;
      const resources: GPUBufferBinding[] = last
        ? [{ buffer, size: PARAMETER_BYTES }]
        : [buffers[i - 1]?.gpu ?? weights[0]!, weights[i + 1]!, buffer].map((one) => ({ buffer: one }));
      return device.createBindGroup({
        label: stages[i]?.label ?? 'parameters',
        layout: last ? pipelines.parameterLayout : kernel.layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    });
    this.#values = new DataView(new ArrayBuffer(PARAMETER_BYTES * stages.length));
  }

  /** Takes over the states of the layers. */
  write(states: readonly FrozenState[]): void {
    const { queue } = this.home.device;
    states.forEach(({ h, c }, i) => {
      const { gpu } = this.#buffers[i]!;
      queue.writeBuffer(gpu, 0, h as Float32Array<ArrayBuffer>);
      queue.writeBuffer(gpu, 2 * h.byteLength, c as Float32Array<ArrayBuffer>);
    });
  }

  /** One step, whose input begins at `input` of the embedding; the output layer only where its logits are read. */
  step(encoder: GPUCommandEncoder, input: number, withLogits: boolean): void {
    const { device, kernel } = this.home;
    const stages = withLogits ? this.#stages : this.#stages.slice(0, -1);
    const read = this.#half;
    const write = (this.#half = 1 - read);
    stages.forEach(({ cell, gates, inputs, units, recurrent }, i) => {
      // What a layer reads is what the one before has just written.
      const x_at = i === 0 ? input : write * inputs;
      const places = { x_at, h_read: read * recurrent, h_write: write * recurrent };
      const values = { cell, gates, inputs, units, recurrent, ...places };
      writeParameters(frozenStepKernel.float32, values, this.#values, i * PARAMETER_BYTES);
    });
    device.queue.writeBuffer(this.#buffers.at(-1)!.gpu, 0, this.#values.buffer);
    const pass = encoder.beginComputePass({ label: 'step' });
    pass.setPipeline(kernel.pipeline);
    stages.forEach(({ units }, i) => {
      pass.setBindGroup(0, this.#groups[i]);
      pass.setBindGroup(1, this.#groups.at(-1), [i * PARAMETER_BYTES]);
      pass.dispatchWorkgroups(...foldWorkgroups(units, 1));
    });
    pass.end();
  }

  /** Brings the states to the host, and the logits. */
  async read(encoder: GPUCommandEncoder, readback: Readback): Promise<Result> {
    const half = this.#half;
    readback.submit(
      encoder,
      this.#stages.map((stage, i) => ({
        buffer: this.#buffers[i]!.gpu,
        offset: 0,
        bytes: stateBytes(stage),
      })),
    );
    const bytes = await readback.arrive();
    let at = 0;
    const take = (size: number): Float32Array => new Float32Array(bytes, (at += 4 * size) - 4 * size, size);
    const states = this.#stages.slice(0, -1).map(({ units }) => {
      const halves = [take(units), take(units)];
      return { h: halves[half]!, c: take(units) };
    });
    return { states, logits: take(this.#stages.at(-1)!.units) };
  }

  dispose(): void {
    for (const buffer of this.#buffers) this.home.pool.free(buffer);
  }
}

/** What has come of some steps. */
interface Result {
  readonly states: readonly FrozenState[];
  readonly logits: Float32Array;
}

/** A layer has two halves of h, and c; the output has its logits. */
function stateBytes({ units, recurrent }: Stage): number {
  return units * (recurrent > 0 ? 12 : 4);
}

/** Keeps on the host what it needs to go on anywhere else. */
class GpuReader implements FrozenReader {
  readonly #runner: GpuFrozenRunner;
  #place: Place | null = null;
  /** What reads where there is no device any more. */
  #other: FrozenReader | null = null;
  /** After all that was read and waited for; zeros at first. */
  #states: readonly FrozenState[] = [];
  /** What was asked to be read since. */
  #tokens: number[] = [];

  constructor(runner: GpuFrozenRunner) {
    this.#runner = runner;
  }

  advance(token: number): void {
    this.#runner.checkAlive();
    this.#tokens.push(token);
  }

  async predict(token: number): Promise<ArrayLike<number>> {
    this.advance(token);
    return this.#read(true);
  }

  async synchronize(): Promise<void> {
    await this.#read(false);
  }

  dispose(): void {
    this.#place?.dispose();
    this.#other?.dispose();
  }

  async #read(withLogits: boolean): Promise<ArrayLike<number>> {
    for (;;) {
      const home = await this.#runner.home();
      if (!(home instanceof Home)) return this.#readElsewhere(home, withLogits);
      try {
        const { states, logits } = await home.guard(this.#readAt(home, withLogits));
        this.#states = states;
        this.#tokens = [];
        return logits;
      } catch (cause) {
        // Some steps may have been made there.
        this.#place?.dispose();
        this.#place = null;
        this.#runner.checkAlive();
        if (await home.explains(cause)) continue;
        if (cause instanceof RnnError) throw cause;
        throw new DeviceError({ culprit: CULPRIT, problem: 'its logits could not be read', cause });
      }
    }
  }

  async #readAt(home: Home, withLogits: boolean): Promise<Result> {
    const { stages, network } = this.#runner;
    const { device, pool } = home;
    const place = this.#place ?? (await this.#settle(home));
    this.#place = place;
    const bytes = stages.reduce((sum, stage) => sum + stateBytes(stage), 0);
    const readback = new Readback(device, pool, bytes, CULPRIT);
    const begin = (): GPUCommandEncoder => device.createCommandEncoder({ label: 'step' });
    let encoder = begin();
    const last = this.#tokens.length - 1;
    this.#tokens.forEach((token, i) => {
      place.step(encoder, token * network.embeddingSize, withLogits && i === last);
      if (i === last) return;
      device.queue.submit([encoder.finish()]);
      encoder = begin();
    });
    return place.read(encoder, readback);
  }

  async #settle(home: Home): Promise<Place> {
    const { stages } = this.#runner;
    const { COPY_DST, UNIFORM } = GPUBufferUsage;
    let place!: Place;
    await home.pool.reserve(
      CULPRIT,
      () => [
        ...stages.map((stage) => home.pool.allocate(stateBytes(stage), stage.label)),
        home.pool.allocate(PARAMETER_BYTES * stages.length, 'parameters', UNIFORM | COPY_DST),
      ],
      (buffers) => {
        this.#runner.checkAlive();
        place = new Place(home, stages, buffers);
        place.write(this.#states);
      },
    );
    // Whoever waits is on another device by now.
    if (home.lost !== null) throw new Error(home.lost);
    return place;
  }

  #readElsewhere(runner: FrozenRunner, withLogits: boolean): Promise<ArrayLike<number>> {
    const reader = (this.#other ??= runner.start(this.#states));
    const tokens = this.#tokens.splice(0);
    const last = withLogits ? tokens.pop()! : null;
    for (const token of tokens) reader.advance(token);
    return last === null ? reader.synchronize().then(() => []) : reader.predict(last);
  }
}
