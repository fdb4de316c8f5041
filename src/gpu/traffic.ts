/** How many bytes each step of a program touches, as far as its bindings tell. */
import type { View } from './memory.js';
import type { DispatchStep, Program } from './program.js';

/**
 * Bytes that each step reads or writes, in the order of `program.steps`: an estimate from the views bound.
 *
 * A sequence is bound whole at each step of time, and each step touches a part of its own: so a view that
 * several dispatches of one kernel and layer bind counts once for all of them, in equal parts. Weights, which
 * every step reads again, count each time.
 */
export function stepTraffic({ steps }: Program): number[] {
  const uses = new Map<string, number>();
  for (const step of steps) {
    if (step.type !== 'dispatch') continue;
    for (const view of step.views) {
      const key = keyOf(step, view);
      uses.set(key, (uses.get(key) ?? 0) + 1);
    }
  }
  return steps.map((step) => {
    if (step.type === 'copy') return 2 * step.from.bytes;
    return step.views.reduce((sum, view) => {
      const { role, label } = view.storage;
      if (label.startsWith('unused')) return sum;
      const weight = role === 'variable' || role === 'packed';
      return sum + view.bytes / (weight ? 1 : uses.get(keyOf(step, view))!);
    }, 0);
  });
}

function keyOf({ kernel, label }: DispatchStep, { storage, offset, bytes }: View): string {
  return `${kernel.name}|${label}|${storage.id}:${offset}:${bytes}`;
}
