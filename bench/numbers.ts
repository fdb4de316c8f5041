/** Numbers for people. */

/** Three digits, or as many as asked for; whole numbers in full. */
export function number(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value) || Math.abs(value) >= 10 ** digits) return String(Math.round(value));
  return String(Number(value.toPrecision(digits)));
}

/** Bytes in megabytes of 10⁶. */
export function megabytes(bytes: number): string {
  return number(bytes / 1e6);
}
