/** Sees to it that there is a device: opens another one when one is lost, and lets calls wait for it in line. */
import { DeviceError, DeviceLostError, DisposedError, RnnError, ShaderError } from '../graph/errors.js';
import { checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import type { DeviceLike } from './device-types.js';
import type { OpenedDevice } from './device.js';
import type { DeviceSession } from './session.js';

/** What is done when a device is lost. */
export interface RecoveryOptions {
  /** Devices that are asked for in a row, while none lives for a minute. Default 6. */
  readonly attempts?: number;
  /** Milliseconds between the first and the second of them; doubles from one to the next. Default 250. */
  readonly delay?: number;
  /** Milliseconds that each may take to come: a browser whose GPU process crashed may never answer. Default 10,000. */
  readonly timeout?: number;
  /**
   * Milliseconds between two snapshots that a training takes to go back to; longer where one takes more than a
   * fiftieth of that. 0: after every step. Default 30,000.
   */
  readonly snapshotPeriod?: number;
  /** Gives another device, where the executor was opened with one of the application's own. */
  readonly device?: () => Promise<DeviceLike>;
  /** Told when a device is lost, with the browser's reason. */
  readonly onLost?: (reason: string) => void;
  /** Told when another has taken its place, with what it is called. */
  readonly onRecovered?: (description: string) => void;
}

const RECOVERY_OPTIONS = [
  'attempts',
  'delay',
  'timeout',
  'snapshotPeriod',
  'device',
  'onLost',
  'onRecovered',
];

/** A device that lived that long, in milliseconds, was a good one. */
const GOOD_LIFE = 60_000;

/** @throws ArgumentError for an option out of range or unknown */
export function checkRecovery(culprit: string, options: RecoveryOptions | false): void {
  if (options === false) return;
  checkOptions(`${culprit}, recovery`, options, RECOVERY_OPTIONS);
  checkWhole(culprit, 'recovery.attempts', options.attempts ?? 0, 0);
  checkNumber(culprit, 'recovery.delay', options.delay ?? 0, { min: 0 });
  checkNumber(culprit, 'recovery.timeout', options.timeout ?? 0, { min: 0 });
  checkNumber(culprit, 'recovery.snapshotPeriod', options.snapshotPeriod ?? 0, { min: 0 });
}

/** What a keeper needs. */
export interface KeeperHost {
  readonly options: RecoveryOptions;
  /** Opens another device; `null` where none may be. */
  readonly reopen: (() => Promise<OpenedDevice>) | null;
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

function discard({ owned, device }: OpenedDevice): void {
  if (owned) device.destroy();
}

/** @throws DeviceError where the device does not come in time; it is let go when it does */
async function within(milliseconds: number, opening: Promise<OpenedDevice>): Promise<OpenedDevice> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, milliseconds, null)));
  const opened = await Promise.race([opening, late]).finally(() => clearTimeout(timer));
  if (opened) return opened;
  void opening.then(discard, () => undefined);
  throw new DeviceError({
    culprit: 'WebGPU',
    problem: `no device came within ${milliseconds} ms`,
    remedy: 'restart the browser',
  });
}

/** Keeps the session with one device after another. */
export class SessionKeeper {
  readonly #host: KeeperHost;
  #session: DeviceSession;
  #losses = 0;
  #reason = '';
  /** Why there will be no other device. */
  #cause: unknown = null;
  #final = false;
  #attempts = 0;
  #recovering: Promise<void> | null = null;
  /** The last of those who wait in line. */
  #line: Promise<void> | null = null;
  #disposed = false;

  constructor(opened: OpenedDevice, host: KeeperHost) {
    this.#host = host;
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
    if (performance.now() - session.began > GOOD_LIFE) this.#attempts = 0;
    const recovering = this.#recover().finally(() => {
      if (this.#recovering === recovering) this.#recovering = null;
    });
    this.#recovering = recovering;
    queueMicrotask(() => options.onLost?.(session.lost!));
  }

  async #recover(): Promise<void> {
    const { reopen, options } = this.#host;
    const { attempts = 6, delay = 250, timeout = 10_000, onRecovered } = options;
    while (reopen && this.#attempts < attempts) {
      if (this.#attempts > 0) {
        const wait = delay * 2 ** (this.#attempts - 1);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
      this.#attempts++;
      try {
        const opened = await within(timeout, reopen());
        if (this.disposed) {
          discard(opened);
          return;
        }
        this.#session = this.#begin(opened);
      } catch (error) {
        this.#cause = error;
        continue;
      }
      const { description } = this.#session.opened;
      queueMicrotask(() => onRecovered?.(description));
      return;
    }
    this.#final = true;
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
    return new DeviceLostError({
      culprit: `webgpu: ${this.#session.opened.description}`,
      problem: `the device was lost (${this.#reason})${gone}${final ? ', and there is no other' : ''}`,
      remedy: final
        ? "create a new executor, with backend: 'cpu' for instance, and restore the model from its last save"
        : 'restore what was lost from its last save, or begin it anew',
      losses: this.#losses,
      final,
      ...(this.#cause ? { cause: this.#cause } : {}),
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
