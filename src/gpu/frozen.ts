/** A trained network, token by token, on WebGPU: one dispatch a layer and one for the logits. */
import { DeviceError, DisposedError } from '../graph/errors.js';
import { FROZEN_GATES, type FrozenNetwork, type FrozenReader, type FrozenRunner } from '../graph/frozen.js';
import { checkBytes } from './buffers.js';
import { openDevice, type DeviceOptions, type OpenedDevice } from './device.js';
import { frozenStepKernel } from './kernels/frozen.js';
import { foldWorkgroups, writeParameters } from './kernels/kernel.js';
import { PARAMETER_BYTES, PipelineCache, type CompiledKernel } from './pipelines.js';

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
  readonly weights: GPUBuffer;
}

/** Runs on WebGPU, in float32. */
export class GpuFrozenRunner implements FrozenRunner {
  readonly description: string;
  readonly device: GPUDevice;
  readonly pipelines: PipelineCache;
  readonly kernel: CompiledKernel;
  readonly embeddingSize: number;
  readonly embedding: GPUBuffer;
  readonly stages: readonly Stage[];
  readonly #opened: OpenedDevice;
  readonly #buffers = new Set<GPUBuffer>();
  #lost: string | null = null;
  #disposed = false;

  private constructor(
    opened: OpenedDevice,
    pipelines: PipelineCache,
    kernel: CompiledKernel,
    network: FrozenNetwork,
  ) {
    const { cell, nonlinearity, vocabSize, hiddenSize, layers } = network;
    this.#opened = opened;
    this.device = opened.device;
    this.pipelines = pipelines;
    this.kernel = kernel;
    this.description = `webgpu: ${opened.description}`;
    this.embeddingSize = network.embeddingSize;
    void this.device.lost.then(({ reason, message }) => {
      this.#lost = `${reason}${message ? `: ${message}` : ''}`;
    });
    this.embedding = this.#upload('embedding', [network.embedding]);
    const recurrent = layers.map(({ inputSize, weightIh, weightHh, biasIh, biasHh }, i): Stage => {
      const label = `layer ${i}`;
      return {
        label,
        cell: CELLS[cell === 'rnn' ? nonlinearity : cell],
        gates: FROZEN_GATES[cell],
        inputs: inputSize,
        units: hiddenSize,
        recurrent: hiddenSize,
        weights: this.#upload(label, [weightIh, weightHh, biasIh, biasHh]),
      };
    });
    this.stages = [
      ...recurrent,
      {
        label: 'output',
        cell: 0,
        gates: 1,
        inputs: hiddenSize,
        units: vocabSize,
        recurrent: 0,
        weights: this.#upload('output', [network.outputWeight, network.outputBias]),
      },
    ];
  }

  /**
   * Opens a device, or takes the caller's, and brings the weights there.
   * @throws DeviceError where WebGPU is missing or offers no adapter, LimitError where a layer is too large for it
   */
  static async create(network: FrozenNetwork, options: DeviceOptions = {}): Promise<GpuFrozenRunner> {
    const opened = await openDevice(options);
    const { device } = opened;
    try {
      const pipelines = new PipelineCache(device);
      const kernel = await pipelines.get(frozenStepKernel);
      device.pushErrorScope('out-of-memory');
      const runner = new GpuFrozenRunner(opened, pipelines, kernel, network);
      const error = await device.popErrorScope();
      if (!error) return runner;
      runner.dispose();
      throw new DeviceError({
        culprit: CULPRIT,
        problem: `the device is out of memory: ${error.message}`,
        remedy: "pass backend: 'cpu'",
      });
    } catch (error) {
      if (opened.owned) device.destroy();
      throw error;
    }
  }

  start(): FrozenReader {
    this.checkUsable();
    return new GpuReader(this);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    if (this.#opened.owned) this.device.destroy();
  }

  /** A buffer that goes with the runner, if {@link free} does not end it before. */
  allocate(label: string, size: number, usage: number): GPUBuffer {
    checkBytes(this.device, size, label);
    const buffer = this.device.createBuffer({ label, size, usage });
    this.#buffers.add(buffer);
    return buffer;
  }

  free(buffer: GPUBuffer): void {
    this.#buffers.delete(buffer);
    buffer.destroy();
  }

  /** @throws DisposedError, or DeviceError where the device was lost */
  checkUsable(): void {
    if (this.#disposed) {
      throw new DisposedError({ culprit: CULPRIT, problem: 'was disposed', remedy: 'load it again' });
    }
    if (this.#lost === null) return;
    throw new DeviceError({
      culprit: this.description,
      problem: `the device was lost (${this.#lost})`,
      remedy: 'load the model again',
    });
  }

  #upload(label: string, arrays: readonly Float32Array[]): GPUBuffer {
    const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const buffer = this.allocate(label, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    let at = 0;
    for (const array of arrays) {
      this.device.queue.writeBuffer(buffer, at, array as Float32Array<ArrayBuffer>);
      at += array.byteLength;
    }
    return buffer;
  }
}

/** A state on the device. Its two halves take turns: one is read while the other is written. */
class GpuReader implements FrozenReader {
  readonly #runner: GpuFrozenRunner;
  readonly #groups: readonly GPUBindGroup[];
  readonly #states: readonly GPUBuffer[];
  readonly #values: DataView<ArrayBuffer>;
  readonly #parameters: GPUBuffer;
  readonly #parameterGroup: GPUBindGroup;
  readonly #staging: GPUBuffer;
  #steps = 0;

  constructor(runner: GpuFrozenRunner) {
    const { device, stages, kernel, pipelines } = runner;
    this.#runner = runner;
    const { STORAGE, COPY_SRC, COPY_DST, UNIFORM, MAP_READ } = GPUBufferUsage;
    this.#states = stages.map(({ label, units }) => runner.allocate(label, 12 * units, STORAGE | COPY_SRC));
    this.#groups = stages.map(({ label, weights }, i) =>
      device.createBindGroup({
        label,
        layout: kernel.layout,
        entries: [this.#states[i - 1] ?? runner.embedding, weights, this.#states[i]!].map(
          (buffer, binding) => ({ binding, resource: { buffer } }),
        ),
      }),
    );
    const bytes = PARAMETER_BYTES * stages.length;
    this.#values = new DataView(new ArrayBuffer(bytes));
    this.#parameters = runner.allocate('parameters', bytes, UNIFORM | COPY_DST);
    this.#parameterGroup = device.createBindGroup({
      label: 'parameters',
      layout: pipelines.parameterLayout,
      entries: [{ binding: 0, resource: { buffer: this.#parameters, size: PARAMETER_BYTES } }],
    });
    this.#staging = runner.allocate('logits', 4 * stages.at(-1)!.units, MAP_READ | COPY_DST);
  }

  advance(token: number): void {
    this.#submit(token, false);
  }

  async predict(token: number): Promise<ArrayLike<number>> {
    this.#submit(token, true);
    const staging = this.#staging;
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      this.#runner.checkUsable();
      throw new DeviceError({ culprit: CULPRIT, problem: 'its logits could not be read', cause });
    }
    const logits = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return logits;
  }

  async synchronize(): Promise<void> {
    await this.#runner.device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    for (const buffer of [...this.#states, this.#parameters, this.#staging]) this.#runner.free(buffer);
  }

  /** One step; the output layer only where its logits are read. */
  #submit(token: number, withLogits: boolean): void {
    this.#runner.checkUsable();
    const { device, kernel, embeddingSize } = this.#runner;
    const stages = withLogits ? this.#runner.stages : this.#runner.stages.slice(0, -1);
    const read = this.#steps++ % 2;
    const write = 1 - read;
    stages.forEach(({ cell, gates, inputs, units, recurrent }, i) => {
      // What a layer reads is what the one before has just written.
      const x_at = i === 0 ? token * embeddingSize : write * inputs;
      const places = { x_at, h_read: read * recurrent, h_write: write * recurrent };
      const values = { cell, gates, inputs, units, recurrent, ...places };
      writeParameters(frozenStepKernel, values, this.#values, i * PARAMETER_BYTES);
    });
    device.queue.writeBuffer(this.#parameters, 0, this.#values.buffer);
    const encoder = device.createCommandEncoder({ label: 'step' });
    const pass = encoder.beginComputePass({ label: 'step' });
    pass.setPipeline(kernel.pipeline);
    stages.forEach(({ units }, i) => {
      pass.setBindGroup(0, this.#groups[i]);
      pass.setBindGroup(1, this.#parameterGroup, [i * PARAMETER_BYTES]);
      pass.dispatchWorkgroups(...foldWorkgroups(units, 1));
    });
    pass.end();
    if (withLogits) encoder.copyBufferToBuffer(this.#states.at(-1)!, 0, this.#staging, 0, this.#staging.size);
    device.queue.submit([encoder.finish()]);
  }
}
