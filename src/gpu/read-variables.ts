/** Brings variables to the host: one submit, and one mapping for many of them. */
import type { Variable } from '../graph/value.js';
import type { DeviceArray } from './device-array.js';
import { Readback } from './readback.js';
import type { DeviceSession } from './session.js';

/** Bytes that are copied and mapped at once, unless one variable alone has more. */
const PART = 2 ** 26;

/**
 * The values of variables after all that was submitted so far.
 * @param again whether the same may be read again soon
 */
export async function readVariables(
  session: DeviceSession,
  variables: readonly Variable[],
  again: boolean,
): Promise<DeviceArray[]> {
  const { device, pool } = session;
  const parts: Promise<DeviceArray[]>[] = [];
  for (let first = 0; first < variables.length;) {
    const part: Variable[] = [];
    let bytes = 0;
    for (const variable of variables.slice(first)) {
      if (part.length > 0 && bytes + variable.size * 4 > PART) break;
      part.push(variable);
      bytes += variable.size * 4;
    }
    first += part.length;
    const culprit = part.length === 1 ? `variable "${part[0]!.name}"` : 'variables';
    const readback = new Readback(device, pool, bytes, culprit);
    const encoder = device.createCommandEncoder({ label: 'read variables' });
    const regions = part.map((one) => ({ ...session.variables.locate(one), bytes: one.size * 4 }));
    readback.submit(encoder, regions);
    parts.push(session.guard(readback.arrive(again)).then((copy) => split(part, copy)));
  }
  return (await Promise.all(parts)).flat();
}

function split(variables: readonly Variable[], copy: ArrayBuffer): DeviceArray[] {
  let at = 0;
  return variables.map(({ dtype, size }) => {
    const data = dtype === 'int32' ? new Int32Array(copy, at, size) : new Float32Array(copy, at, size);
    at += size * 4;
    return data;
  });
}
