/** What the host knows of the values of variables, to bring them to another device when one is lost. */
import { DisposedError } from '../graph/errors.js';
import type { HostArray, Variable } from '../graph/value.js';
import { toDeviceArray, type DeviceArray } from './device-array.js';

/** What is known of one variable. */
export interface HostCopy {
  /** Its value, unless a run has changed it since. */
  data: DeviceArray | null;
  /** Counts the changes. */
  version: number;
  /** Whether its value went with a device, and nothing has set it since. */
  lost: boolean;
}

/** Keeps first values, what was written, and snapshots, each until a run changes the variable on the device. */
export class HostCopies {
  readonly #copies = new Map<Variable, HostCopy>();
  #lost = 0;

  /** What is known of a variable; a new one has its initial value. */
  of(variable: Variable): HostCopy {
    return this.#copies.get(variable) ?? this.write(variable, variable.initialValue());
  }

  /** Notes a value that the variable takes. */
  write(variable: Variable, data: HostArray): HostCopy {
    const value = toDeviceArray(variable, data);
    const copy = this.#copies.get(variable) ?? { data: null, version: 0, lost: false };
    this.#copies.set(variable, copy);
    this.touch(copy);
    // What the caller does with its array later is no concern of the variable.
    copy.data = value === data ? value.slice() : value;
    return copy;
  }

  /** Notes that a run has changed the variable. */
  touch(copy: HostCopy): void {
    copy.version++;
    copy.data = null;
    if (!copy.lost) return;
    copy.lost = false;
    this.#lost--;
  }

  /** Notes the value that a variable had at a version, unless it has changed since. */
  remember(variable: Variable, version: number, data: DeviceArray): void {
    const copy = this.#copies.get(variable);
    if (copy?.version === version) copy.data = data;
  }

  /** Notes that the device is gone, and with it what only it knew. */
  lose(): void {
    for (const copy of this.#copies.values()) {
      if (copy.data || copy.lost) continue;
      copy.lost = true;
      this.#lost++;
    }
  }

  /** The first of these whose value was lost. */
  findLost(variables: Iterable<Variable>): Variable | undefined {
    if (this.#lost === 0) return undefined;
    for (const variable of variables) if (this.#copies.get(variable)?.lost) return variable;
    return undefined;
  }

  has(variable: Variable): boolean {
    return this.#copies.has(variable);
  }

  release(variable: Variable): void {
    const copy = this.#copies.get(variable);
    if (copy?.lost) this.#lost--;
    this.#copies.delete(variable);
  }
}

/** For a plan that uses a variable which is gone. */
export function releasedError({ name }: Variable): DisposedError {
  return new DisposedError({
    culprit: `variable "${name}"`,
    problem: 'was released on this device',
    remedy: 'compile the graph again',
  });
}
