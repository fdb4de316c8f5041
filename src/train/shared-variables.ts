/** Who uses a variable on an executor, so that the last of several users frees it. */
import type { Executor } from '../graph/executor.js';
import type { Variable } from '../graph/value.js';

const USERS = new WeakMap<Executor, WeakMap<Variable, number>>();

/** Counts one user more for each. */
export function hold(executor: Executor, variables: Iterable<Variable>): void {
  const counts = USERS.get(executor) ?? new WeakMap<Variable, number>();
  USERS.set(executor, counts);
  for (const variable of variables) counts.set(variable, (counts.get(variable) ?? 0) + 1);
}

/** Counts one user less for each. @returns those that nobody uses any more */
export function letGo(executor: Executor, variables: readonly Variable[]): Variable[] {
  const counts = USERS.get(executor);
  return variables.filter((variable) => {
    const left = (counts?.get(variable) ?? 1) - 1;
    counts?.set(variable, left);
    return left <= 0;
  });
}
