/** Opening the first device, where the process that computes may just have crashed and is starting anew. */
import { offeredGpu, openDevice, within, type DeviceOptions, type OpenedDevice } from './device.js';

/** Milliseconds before the second, third and fourth request, where the ones before were refused. */
const PAUSES = [200, 400, 800];

/**
 * How many of them this page waits for: one, which who has no GPU hardly feels, and the next time none; all once a
 * device was lost, since adapters come back then.
 */
let patience = 1;

/** Notes that this page has lost a device. */
export function noteLoss(): void {
  patience = PAUSES.length;
}

/**
 * As {@link openDevice}, asking again a moment later where there is no adapter.
 * @throws DeviceError
 */
export async function openFirstDevice(options: DeviceOptions): Promise<OpenedDevice> {
  if (options.device || options.adapter) return openDevice(options);
  // Where WebGPU is missing, it will not come.
  offeredGpu(options);
  const { timeout } = options.recovery || {};
  for (let attempt = 0; ; attempt++) {
    try {
      const opened = await within(openDevice(options), timeout);
      patience = Math.max(patience, 1);
      return opened;
    } catch (error) {
      if (attempt >= patience) {
        patience = 0;
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSES[attempt]));
    }
  }
}
