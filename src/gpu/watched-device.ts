/** A device that may be lost at any time, and who is told of it. */
import type { OpenedDevice } from './device.js';
import { noteLoss } from './first-device.js';

/** Milliseconds within which the news of a lost device follows the errors that it causes. */
const NEWS_DELAY = 500;

/** The time with one device. */
export class WatchedDevice {
  readonly opened: OpenedDevice;
  readonly device: GPUDevice;
  /** When it began. */
  readonly began = performance.now();
  /** Why the device was lost, once it is. */
  lost: string | null = null;
  /** Called when the device is lost, before anything else happens. */
  onLost: () => void = () => undefined;
  /** Resolves when the device is lost. */
  readonly #end: Promise<void>;
  /** Work to give up when the device is lost. */
  readonly #guarded = new Set<(error: Error) => void>();

  constructor(opened: OpenedDevice) {
    this.opened = opened;
    this.device = opened.device;
    this.#end = this.device.lost.then(({ reason, message }) => {
      this.lost = `${reason}${message ? `: ${message}` : ''}`;
      if (reason !== 'destroyed') noteLoss();
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
}
