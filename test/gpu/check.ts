/** What cases of the GPU tests say when something is not as it should be. */

/** @throws Error with this message where the condition does not hold */
export function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

/** @throws Error where the two are not the same as JSON */
export function checkSame(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(a === b, `${what}: ${a} is not ${b}`);
}
