/** A trained network on one device: its weights, the states of a text, and a step from one token to the next. */
import { RnnError, ShaderError } from '../graph/errors.js';
import { FROZEN_GATES, type FrozenNetwork, type FrozenState } from '../graph/frozen.js';
import { BufferPool, type PooledBuffer } from './buffers.js';
import type { OpenedDevice, WeightPrecision } from './device.js';
import { toFloat16 } from './float16.js';
import { frozenStepKernel } from './kernels/frozen.js';
import { foldWorkgroups, writeParameters } from './kernels/kernel.js';
import { PARAMETER_BYTES, PipelineCache, type CompiledKernel } from './pipelines.js';
import type { Readback } from './readback.js';
import { discard } from './device.js';
import { WatchedDevice } from './watched-device.js';

/** What errors name. */
export const CULPRIT = 'text generator';

/** The codes of the kernel. */
const CELLS = { tanh: 1, relu: 2, gru: 3, lstm: 4 } as const;

/** One dispatch of a step, but for what changes from step to step and from reader to reader. */
export interface Stage {
  readonly label: string;
  readonly cell: number;
  readonly gates: number;
  readonly inputs: number;
  readonly units: number;
  readonly recurrent: number;
  readonly weights: readonly Float32Array[];
}

/** The layers in their order, and the output. */
export function stagesOf(network: FrozenNetwork): Stage[] {
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

/** What a {@link Home} holds. */
export interface HomeContent {
  readonly network: FrozenNetwork;
  readonly stages: readonly Stage[];
  readonly weightPrecision: WeightPrecision;
}

/** A device with the weights on it. */
export class Home extends WatchedDevice {
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

  /** Brings the weights there. */
  async upload({ network, stages, weightPrecision }: HomeContent): Promise<void> {
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
export class Place {
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
export interface Result {
  readonly states: readonly FrozenState[];
  readonly logits: Float32Array;
}

/** A layer has two halves of h, and c; the output has its logits. */
export function stateBytes({ units, recurrent }: Stage): number {
  return units * (recurrent > 0 ? 12 : 4);
}
