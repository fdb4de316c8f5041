/** Numbers of a variable as the device keeps them. */
import { ShapeError } from '../graph/errors.js';
import type { HostArray } from '../graph/value.js';

/** What a variable's buffer holds. */
export type DeviceArray = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/**
 * The numbers as the device keeps them.
 * @throws ShapeError when they are not as many, or of another type
 */
export function toDeviceArray(
  variable: { readonly name: string; readonly dtype: string; readonly size: number },
  data: HostArray,
): DeviceArray {
  if (data.length !== variable.size) {
    throw new ShapeError({
      culprit: `variable "${variable.name}"`,
      problem: `got ${data.length} numbers, it holds ${variable.size}`,
      remedy: 'pass one number an element',
    });
  }
  const integers = variable.dtype === 'int32';
  if (integers !== data instanceof Int32Array) {
    throw new ShapeError({
      culprit: `variable "${variable.name}"`,
      problem: `got a ${data.constructor.name}, it holds ${variable.dtype}`,
      remedy: `pass ${integers ? 'an Int32Array' : 'a Float32Array or Float64Array'}`,
    });
  }
  if (data instanceof Float64Array) return new Float32Array(data);
  return data as DeviceArray;
}
