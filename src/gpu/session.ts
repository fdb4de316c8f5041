/** What belongs to one device and goes with it: buffers, pipelines, variables, measurements. */
import { BufferPool } from './buffers.js';
import type { OpenedDevice } from './device.js';
import type { HostCopies } from './host-copies.js';
import type { LoweredGraph } from './lower/index.js';
import { PipelineCache } from './pipelines.js';
import type { Program } from './program.js';
import { Tuner, type TunerOptions } from './tuning/tuner.js';
import { VariableStore, type PackedCopy, type PackedPlacement } from './variables.js';
import { WatchedDevice } from './watched-device.js';

/** What the speed of kernels depends on and no kernel sees: the adapter, and the browser with its driver. */
function surroundings(adapter: string): string {
  const { navigator } = globalThis as { readonly navigator?: Partial<Navigator> };
  return `${adapter} | ${navigator?.userAgent ?? 'no browser'}`;
}

/** The time with one device. */
export class DeviceSession extends WatchedDevice {
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  readonly variables: VariableStore;
  readonly tuner: Tuner;
  /** Resolves when the compilation that allocates now has what it needs. */
  #reserving: Promise<unknown> = Promise.resolve();

  constructor(opened: OpenedDevice, copies: HostCopies, tuning: Omit<TunerOptions, 'surroundings'>) {
    super(opened);
    const { device } = opened;
    this.pool = new BufferPool(device);
    this.pipelines = new PipelineCache(device);
    this.variables = new VariableStore(device, this.pool, copies);
    this.tuner = new Tuner(this, { ...tuning, surroundings: surroundings(opened.description) });
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
