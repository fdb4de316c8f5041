/** Every path of classes through a short sequence, and what each gives, to check what sums over them. */

/** All sequences of `length` classes below `classes`. */
export function* allPaths(length: number, classes: number): Generator<number[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const path of allPaths(length - 1, classes)) {
    for (let c = 0; c < classes; c++) yield [...path, c];
  }
}

/** A path with repeats merged and blanks dropped. */
export function collapse(path: readonly number[], blank: number): number[] {
  return path.filter((c, t) => c !== blank && c !== path[t - 1]);
}
