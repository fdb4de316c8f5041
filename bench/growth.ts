/** How time grows against work. */

/** One size and what it took. */
export interface Point {
  readonly size: number;
  /** Floating-point operations. */
  readonly work: number;
  readonly milliseconds: number;
}

/**
 * The worst cliff: the largest growth of time from one size to the next, relative to the growth of the work.
 * 1 is in proportion; below 1, the larger size makes better use of the device.
 */
export function worstStep(points: readonly Point[]): { readonly size: number; readonly ratio: number } {
  let worst = { size: NaN, ratio: 0 };
  for (const [index, point] of points.entries()) {
    const below = points[index - 1];
    if (!below) continue;
    const ratio = point.milliseconds / below.milliseconds / (point.work / below.work);
    if (ratio > worst.ratio) worst = { size: point.size, ratio };
  }
  return worst;
}
