/** Opening another device in the place of a lost one: how often, with which pauses, and where from. */
import { checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import type { DeviceLike } from './device-types.js';
import { openDevice, within, type DeviceOptions, type OpenedDevice } from './device.js';

/** How another device is asked for when one is lost. */
export interface DeviceRecovery {
  /** Devices that are asked for in a row, while none lives for a minute. Default 6. */
  readonly attempts?: number;
  /** Milliseconds between the first and the second of them; doubles from one to the next. Default 250. */
  readonly delay?: number;
  /** Milliseconds that each may take to come: a browser whose GPU process crashed may never answer. Default 10,000. */
  readonly timeout?: number;
  /** Gives another device, where the first was one of the application's own. */
  readonly device?: () => Promise<DeviceLike>;
  /** Told when a device is lost, with the browser's reason. */
  readonly onLost?: (reason: string) => void;
  /** Told when another has taken its place, with what it is called. */
  readonly onRecovered?: (description: string) => void;
}

/** What is done when a device is lost. */
export interface RecoveryOptions extends DeviceRecovery {
  /**
   * Milliseconds between two snapshots that a training takes to go back to; longer where one takes more than a
   * fiftieth of that. 0: after every step. Default 30,000.
   */
  readonly snapshotPeriod?: number;
}

const OPTIONS = ['attempts', 'delay', 'timeout', 'device', 'onLost', 'onRecovered'];

/** A device that lived that long, in milliseconds, was a good one. */
const GOOD_LIFE = 60_000;

/**
 * @param more options that are known besides
 * @throws ArgumentError for an option out of range or unknown
 */
export function checkRecovery(
  culprit: string,
  options: RecoveryOptions | false,
  more: readonly string[] = [],
): void {
  if (options === false) return;
  checkOptions(`${culprit}, recovery`, options, [...OPTIONS, ...more]);
  checkWhole(culprit, 'recovery.attempts', options.attempts ?? 0, 0);
  checkNumber(culprit, 'recovery.delay', options.delay ?? 0, { min: 0 });
  checkNumber(culprit, 'recovery.timeout', options.timeout ?? 0, { min: 0 });
  checkNumber(culprit, 'recovery.snapshotPeriod', options.snapshotPeriod ?? 0, { min: 0 });
}

/** Opens devices as the first was opened. */
export class Reopening {
  readonly #options: DeviceOptions;
  #attempts = 0;
  /** Why the last attempt failed. */
  cause: unknown = null;

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /**
   * Asks for a device until one comes that `begin` takes.
   * @param life milliseconds that the one before lived
   * @returns whether there is one; if not, there never will be
   */
  async next(life: number, begin: (opened: OpenedDevice) => void | Promise<void>): Promise<boolean> {
    const { recovery, device } = this.#options;
    const { attempts = 6, delay = 250, timeout, device: another = null } = recovery || {};
    if (life > GOOD_LIFE) this.#attempts = 0;
    while (recovery !== false && (!device || another) && this.#attempts < attempts) {
      if (this.#attempts > 0) {
        const wait = delay * 2 ** (this.#attempts - 1);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
      this.#attempts++;
      try {
        // An adapter gives one device.
        const options = device ? { device: await another!() } : { ...this.#options, adapter: undefined };
        await begin(await within(openDevice(options), timeout));
        return true;
      } catch (error) {
        this.cause = error;
      }
    }
    return false;
  }
}
