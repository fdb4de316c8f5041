/** Counts the bytes of the typed arrays that some work asks for, and refuses a request that is beyond its bound. */

/** A request for more memory than the work may take; nothing was allocated. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError';
}

const NAMES = [
  'ArrayBuffer',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

type Constructor = (new (...args: unknown[]) => { readonly byteLength: number }) & {
  readonly BYTES_PER_ELEMENT?: number;
};

const globals = globalThis as unknown as Record<(typeof NAMES)[number], Constructor>;

/**
 * Runs `work` with the constructors of arrays replaced by ones that count; `slice`, `map` and `from` construct
 * through them too. What the runtime allocates by itself, such as strings, is not seen.
 * @param bound bytes in all; the request that passes it throws an AllocationError
 */
export async function metered<R>(
  bound: number,
  work: () => R | Promise<R>,
): Promise<{ readonly result: R; readonly bytes: () => number } | { error: unknown; bytes: () => number }> {
  let total = 0;
  const count = (bytes: number): void => {
    total += bytes;
    if (total > bound) throw new AllocationError(`asks for ${bytes} bytes, ${total} in all`);
  };
  const originals = NAMES.map((name) => [name, globals[name]] as const);
  for (const [name, original] of originals) {
    const counting = new Proxy(original, {
      construct(target, args: unknown[], newTarget) {
        const asked = requested(target, args[0]);
        if (asked !== null) count(asked);
        const made = Reflect.construct(target, args, newTarget) as { readonly byteLength: number };
        if (asked === null) count(made.byteLength);
        return made;
      },
    });
    globals[name] = counting;
    (original.prototype as { constructor: unknown }).constructor = counting;
  }
  try {
    return { result: await work(), bytes: () => total };
  } catch (error) {
    return { error, bytes: () => total };
  } finally {
    for (const [name, original] of originals) {
      globals[name] = original;
      (original.prototype as { constructor: unknown }).constructor = original;
    }
  }
}

/** Bytes that a construction asks for; `null` where only its result tells. */
function requested(target: Constructor, first: unknown): number | null {
  if (first === undefined || first instanceof ArrayBuffer || first instanceof SharedArrayBuffer) return 0;
  const size = target.BYTES_PER_ELEMENT ?? 1;
  if (typeof first === 'number') return Math.max(0, first) * size;
  const { length } = Object(first) as { readonly length?: unknown };
  return typeof length === 'number' ? length * size : null;
}
