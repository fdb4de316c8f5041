/** What belongs to one device and goes with it: buffers, pipelines, variables, measurements. */
import { BufferPool } from './buffers.js';
import type { OpenedDevice } from './device.js';
import type { HostCopies } from './host-copies.js';
import type { LoweredGraph } from './lower/index.js';
import { PipelineCache } from './pipelines.js';
import type { Program } from './program.js';
import { Tuner, type TunerOptions } from './tuning/tuner.js';
import { VariableStore, type PackedCopy, type PackedPlacement } from './variables.js';

/** Milliseconds within which the news of a lost device follows the errors that it causes. */
const NEWS_DELAY = 500;

/** What the speed of kernels depends on and no kernel sees: the adapter, and the browser with its driver. */
function surroundings(adapter: string): string {
  const { navigator } = globalThis as { readonly navigator?: Partial<Navigator> };
  return `${adapter} | ${navigator?.userAgent ?? 'no browser'}`;
}

/** The time with one device. */
export class DeviceSession {
  readonly opened: OpenedDevice;
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  readonly variables: VariableStore;
  readonly tuner: Tuner;
  /** Resolves when the device is lost. */
  readonly #end: Promise<void>;
  /** When it began. */
  readonly began = performance.now();
  /** Why the device was lost, once it is. */
  lost: string | null = null;
  /** Resolves when the compilation that allocates now has what it needs. */
  #reserving: Promise<unknown> = Promise.resolve();
  /** Called when the device is lost, before anything else happens. */
  onLost: () => void = () => undefined;
  /** Work to give up when the device is lost. */
  readonly #guarded = new Set<(error: Error) => void>();

  constructor(opened: OpenedDevice, copies: HostCopies, tuning: Omit<TunerOptions, 'surroundings'>) {
    const { device } = opened;
    this.opened = opened;
    this.device = device;
    this.pool = new BufferPool(device);
    this.pipelines = new PipelineCache(device);
    this.variables = new VariableStore(device, this.pool, copies);
    this.tuner = new Tuner(this, { ...tuning, surroundings: surroundings(opened.description) });
    this.#end = device.lost.then(({ reason, message }) => {
      this.lost = `${reason}${message ? `: ${message}` : ''}`;
      this.onLost();
      for (const reject of this.#guarded) reject(new Error(this.lost));
    });
  }

  /** Waits for work on the device; rejects when the device is lost, which not every browser tells the work. */
  guard<R>(work: Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#guarded.add(reject);
      work.then(resolve, reject).finally(() => this.#guarded.delete(reject));
    });
  }

  /** Whether the device is lost, after an error that may have come before the news of that. */
  async isLost(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const delay = new Promise((resolve) => (timer = setTimeout(resolve, NEWS_DELAY)));
    await Promise.race([this.#end, delay]);
    clearTimeout(timer);
    return this.lost !== null;
  }

  /**
   * Allocates for a plan: what `work` does, and what the plan needs of variables besides. One at a time, as each
   * must know where the one before has put the variables.
   * @param check throws where the plan is not wanted any more
   * @param use takes all of it into use
   */
  async reserve<R>(
    { name, variables, packings }: Program,
    groups: LoweredGraph['groups'],
    check: () => void,
    work: () => R,
    use: (reserved: R, packed: readonly PackedCopy[]) => void,
  ): Promise<void> {
    const store = this.variables;
    const turn = this.#reserving.then(async () => {
      check();
      const places = variables.map(({ variable }) => variable!);
      const copies = packings.map(({ storage: { variables: of, packing, bytes } }) => {
        return { variables: of!, packing: packing!, bytes };
      });
      let packed: PackedPlacement | undefined;
      const allocate = () => {
        const place = store.place(groups, places);
        packed = store.placePacked(copies);
        return { place, packed, reserved: work() };
      };
      try {
        await this.pool.reserve(`plan "${name}"`, allocate, (allocated) => {
          check();
          allocated.place.commit();
          use(allocated.reserved, allocated.packed.commit());
        });
      } catch (error) {
        packed?.cancel();
        throw error;
      }
    });
    this.#reserving = turn.catch(() => undefined);
    await turn;
  }

  dispose(): void {
    this.variables.releaseAll();
    this.pool.dispose();
    if (this.opened.owned) this.device.destroy();
  }
}
