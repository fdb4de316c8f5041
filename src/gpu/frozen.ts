/** A trained network, token by token, on WebGPU: one dispatch a layer and one for the logits, on one device after another. */
import { DeviceError, DeviceLostError, DisposedError, RnnError } from '../graph/errors.js';
import type { FrozenNetwork, FrozenReader, FrozenRunner, FrozenState } from '../graph/frozen.js';
import { discard, type DeviceOptions, type OpenedDevice, type WeightPrecision } from './device.js';
import { openFirstDevice } from './first-device.js';
import { CULPRIT, Home, Place, stagesOf, stateBytes, type Result, type Stage } from './frozen-home.js';
import { PARAMETER_BYTES } from './pipelines.js';
import { Readback } from './readback.js';
import { Reopening } from './reopening.js';

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

  start(states: readonly FrozenState[] = []): FrozenReader {
    this.checkAlive();
    return new GpuReader(this, states);
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

/** Keeps on the host what it needs to go on anywhere else. */
class GpuReader implements FrozenReader {
  readonly #runner: GpuFrozenRunner;
  #place: Place | null = null;
  /** What reads where there is no device any more. */
  #other: FrozenReader | null = null;
  /** After all that was read and waited for; zeros where there is none. */
  #states: readonly FrozenState[];
  /** What was asked to be read since. */
  #tokens: number[] = [];

  constructor(runner: GpuFrozenRunner, states: readonly FrozenState[]) {
    this.#runner = runner;
    this.#states = states;
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
