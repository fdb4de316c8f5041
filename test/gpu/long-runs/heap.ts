/** The JavaScript heap over a long run: measured where the runtime can tell, and its slope. */

interface Surroundings {
  /** Set by whoever drives a page. */
  readonly measureHeap?: () => Promise<number>;
  readonly gc?: () => void;
  readonly process?: {
    readonly memoryUsage?: () => { readonly heapUsed: number; readonly external: number };
  };
}

/** Bytes on the heap after garbage was collected, those of typed arrays included; null where nobody can tell. */
export async function heapBytes(): Promise<number | null> {
  const { measureHeap, gc, process } = globalThis as Surroundings;
  if (measureHeap) return measureHeap();
  if (!gc || !process?.memoryUsage) return null;
  // What finalizers let go is collected by the next.
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Measures as a run goes on. */
export class HeapSlope {
  readonly #points: (readonly [step: number, bytes: number])[] = [];

  async measure(step: number): Promise<void> {
    const bytes = await heapBytes();
    if (bytes !== null) this.#points.push([step, bytes]);
  }

  /** What was measured, for people. */
  get points(): string {
    return this.#points.map(([step, bytes]) => `${step}: ${bytes}`).join(', ');
  }

  /**
   * Bytes a step: the median of the slopes between all pairs of points (Theil and Sen), which a jump here and
   * there does not move. Null where nothing could be measured.
   */
  get bytesPerStep(): number | null {
    const slopes = this.#points
      .flatMap(([x, y], i) => this.#points.slice(i + 1).map(([x2, y2]) => (y2 - y) / (x2 - x)))
      .sort((a, b) => a - b);
    return slopes.length === 0 ? null : slopes[slopes.length >> 1]!;
  }
}
