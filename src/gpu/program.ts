/** What lowering produces: a flat list of dispatches and copies over planned memory. */
import type { Variable } from '../graph/value.js';
import type { Kernel } from './kernels/kernel.js';
import type { ChoiceSite } from './lower/choice.js';
import type { Lifetime, Storage, View } from './memory.js';

/** One compute dispatch. */
export interface DispatchStep {
  readonly type: 'dispatch';
  readonly kernel: Kernel;
  /** The variant that it is part of, by `variantName`; null where there is no choice. */
  readonly variant: string | null;
  /** In the kernel's order of bindings. */
  readonly views: readonly View[];
  readonly parameters: Readonly<Record<string, number | boolean | readonly number[]>>;
  readonly workgroups: readonly [number, number, number];
  /** Whose work this is, for listings. */
  readonly label: string;
  /** The sizes that matter, for listings; e.g. `[2048,64]·[64,512]`. */
  readonly detail: string;
  readonly flops: number;
}

/** A copy between two storages, outside compute passes. */
export interface CopyStep {
  readonly type: 'copy';
  readonly from: View;
  readonly to: View;
  readonly label: string;
}

/** One step of a plan. */
export type Step = DispatchStep | CopyStep;

/** How to make a packed copy of variables; run only when one of them has changed since. */
export interface Packing {
  readonly storage: Storage;
  readonly steps: readonly DispatchStep[];
}

/** Where the host writes an input, and what it may write. */
export interface InputPlace {
  readonly view: View;
  readonly dtype: 'float32' | 'int32';
  readonly size: number;
  /** Smallest and largest number allowed, where kernels could only clamp; checked for what comes from the host. */
  readonly range: readonly [min: number, max: number] | null;
}

/** A lowered graph. */
export interface Program {
  readonly name: string;
  readonly packings: readonly Packing[];
  readonly steps: readonly Step[];
  /** Where lowering had several ways to go. */
  readonly choices: readonly ChoiceSite[];
  /** Inputs by name, with where the host writes them. */
  readonly inputs: ReadonlyMap<string, InputPlace>;
  readonly outputs: ReadonlyMap<
    string,
    {
      readonly view: View;
      readonly dtype: 'float32' | 'int32';
      readonly size: number;
      readonly history: boolean;
    }
  >;
  /** Variables this program reads or writes. */
  readonly variables: readonly Storage[];
  /** Variables whose values it needs. */
  readonly read: readonly Variable[];
  /** Variables it leaves changed. */
  readonly updated: readonly Storage[];
}

/** The dispatches of one run, with those that make packed copies of what the run itself updates anew. */
export function dispatchesOf({ packings, steps, updated }: Program): DispatchStep[] {
  const changing = new Set(updated.map(({ variable }) => variable));
  const repacked = packings.filter(({ storage }) =>
    storage.variables?.some((variable) => changing.has(variable)),
  );
  return [...repacked.flatMap((packing) => packing.steps), ...steps].filter(
    (step): step is DispatchStep => step.type === 'dispatch',
  );
}

/** All dispatches that a program may run: those that make packed copies first, then the steps. */
export function allDispatches({ packings, steps }: Program): DispatchStep[] {
  return [
    ...packings.flatMap((packing) => packing.steps),
    ...steps.filter((step): step is DispatchStep => step.type === 'dispatch'),
  ];
}

/** The steps at which each storage of the plan's own is first and last touched. */
export function lifetimesOf(program: Program): Map<Storage, Lifetime> {
  const lifetimes = new Map<Storage, Lifetime>();
  const touch = ({ storage }: View, step: number): void => {
    if (storage.role === 'variable' || storage.role === 'packed') return;
    const lifetime = lifetimes.get(storage);
    if (lifetime) lifetime.last = step;
    else lifetimes.set(storage, { first: step, last: step });
  };
  for (const { view } of program.inputs.values()) touch(view, 0);
  // What a packing binds of the plan's own is there before the first step.
  for (const { steps } of program.packings)
    for (const step of steps) for (const view of step.views) touch(view, 0);
  program.steps.forEach((step, index) => {
    if (step.type === 'dispatch') for (const view of step.views) touch(view, index);
    else [step.from, step.to].forEach((view) => touch(view, index));
  });
  for (const { view } of program.outputs.values()) touch(view, program.steps.length);
  return lifetimes;
}
