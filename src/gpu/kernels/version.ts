/** The version of all kernels together, for what is remembered about them. */
import { KERNELS } from './index.js';

let version: string | null = null;

/** Changes with the text of any kernel: 64 bits of FNV-1a, in two halves. */
export function kernelVersion(): string {
  if (version !== null) return version;
  let [low, high] = [0x811c9dc5, 0xcbf29ce4];
  for (const { code } of KERNELS) {
    for (let i = 0; i < code.length; i++) {
      low = Math.imul(low ^ code.charCodeAt(i), 0x01000193);
      high = Math.imul(high ^ code.charCodeAt(i) ^ (low >>> 24), 0x01000193);
    }
  }
  version = [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  return version;
}
