/** Sees to it that there is a device: opens another one when one is lost, and lets calls wait for it in line. */
import { DeviceError, DeviceLostError, DisposedError, RnnError, ShaderError } from '../graph/errors.js';
import { discard, type DeviceOptions, type OpenedDevice } from './device.js';
import { Reopening } from './reopening.js';
import type { DeviceSession } from './session.js';

/** What a keeper needs. */
export interface KeeperHost {
  readonly options: DeviceOptions;
  readonly begin: (opened: OpenedDevice) => DeviceSession;
  /** Called when a device is lost, before anything else happens. */
  readonly onLost: () => void;
}

/** What needs to be made ready for each device. */
export interface Preparable {
  ready(): boolean;
  /** Resolves when it is ready, or the device lost. */
  prepare(): Promise<void>;
}

/** Keeps the session with one device after another. */
export class SessionKeeper {
  readonly #host: KeeperHost;
  readonly #reopening: Reopening;
  #session: DeviceSession;
  #losses = 0;
  #reason = '';
  /** Whether there will be no other device. */
  #final = false;
  #recovering: Promise<void> | null = null;
  /** The last of those who wait in line. */
  #line: Promise<void> | null = null;
  #disposed = false;

  constructor(opened: OpenedDevice, host: KeeperHost) {
    this.#host = host;
    this.#reopening = new Reopening(host.options);
    this.#session = this.#begin(opened);
  }

  /** The last one; its device may be lost. */
  get session(): DeviceSession {
    return this.#session;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Whether there will be a device, if there is none now. */
  get hopeful(): boolean {
    return !this.#final;
  }

  #begin(opened: OpenedDevice): DeviceSession {
    const session = this.#host.begin(opened);
    session.onLost = () => this.#replace(session);
    return session;
  }

  #replace(session: DeviceSession): void {
    if (this.#disposed) return;
    const { onLost, options } = this.#host;
    this.#losses++;
    this.#reason = session.lost!;
    session.pool.dispose();
    onLost();
    const recovering = this.#recover(performance.now() - session.began).finally(() => {
      if (this.#recovering === recovering) this.#recovering = null;
    });
    this.#recovering = recovering;
    const { onLost: tell } = options.recovery || {};
    queueMicrotask(() => tell?.(session.lost!));
  }

  async #recover(life: number): Promise<void> {
    const found = await this.#reopening.next(life, (opened) => {
      if (this.disposed) {
        discard(opened);
        return;
      }
      this.#session = this.#begin(opened);
      const { onRecovered } = this.#host.options.recovery || {};
      queueMicrotask(() => onRecovered?.(opened.description));
    });
    this.#final = !found;
  }

  /** Whether nothing need wait. */
  get free(): boolean {
    return !this.#recovering && !this.#line;
  }

  /**
   * Calls `work` at once; while there is no device, or others wait, after them.
   * @param user what must be ready before
   */
  inTurn<R>(work: () => Promise<R>, user?: Preparable): Promise<R> {
    if (this.free && (user?.ready() ?? true)) return work();
    const before = this.#line;
    const ready = async (): Promise<void> => {
      await before;
      for (;;) {
        await this.#recovering;
        if (user?.ready() ?? true) return;
        await user!.prepare();
      }
    };
    // The next in line waits until this work has begun, not until it is done.
    let begun!: () => void;
    const line = new Promise<void>((resolve) => (begun = resolve)).then(() => {
      if (this.#line === line) this.#line = null;
    });
    this.#line = line;
    return ready()
      .then(() => {
        const result = work();
        begun();
        return result;
      })
      .finally(begun);
  }

  /** @throws DisposedError */
  checkAlive(): void {
    if (this.#disposed) throw this.#disposedError();
  }

  /** @throws DisposedError, or DeviceLostError where there is no device */
  checkUsable(): void {
    this.checkAlive();
    if (this.#session.lost !== null) throw this.lostError();
  }

  #disposedError(): DisposedError {
    return new DisposedError({
      culprit: `webgpu: ${this.#session.opened.description}`,
      problem: 'was disposed',
      remedy: 'create a new executor',
    });
  }

  /** @param gone what went with the device */
  lostError(gone = ''): DeviceLostError {
    const final = this.#final;
    const { cause } = this.#reopening;
    return new DeviceLostError({
      culprit: `webgpu: ${this.#session.opened.description}`,
      problem: `the device was lost (${this.#reason})${gone}${final ? ', and there is no other' : ''}`,
      remedy: final
        ? "create a new executor, with backend: 'cpu' for instance, and restore the model from its last save"
        : 'restore what was lost from its last save, or begin it anew',
      losses: this.#losses,
      final,
      ...(cause ? { cause } : {}),
    });
  }

  /** What to throw for an error of work on a device that may have been lost meanwhile. */
  async explain(error: unknown, session: DeviceSession): Promise<unknown> {
    // Errors of this library are no news of a loss, but a shader that does not compile may be.
    if (error instanceof RnnError && !(error instanceof ShaderError) && session.lost === null) return error;
    if (this.#disposed) return this.#disposedError();
    const known =
      error instanceof RnnError && !(error instanceof DeviceError || error instanceof ShaderError);
    if (known || error instanceof DeviceLostError || !(await session.isLost())) return error;
    return this.lostError();
  }

  dispose(): void {
    this.#disposed = true;
    this.#session.dispose();
  }
}
