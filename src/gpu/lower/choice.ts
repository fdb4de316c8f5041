/** Ways to do the same work, among which the adapter decides: what a lowering rule offers, and what was taken. */
import type { WeightPrecision } from '../device.js';

/** One way to do some work. */
export interface Variant {
  /** Unique within its choice; decisions are remembered by it. */
  readonly name: string;
  /**
   * Variants of one order class add in the same order, so that their results are equal to the bit: only those
   * may be exchanged after a plan has run.
   */
  readonly orderClass: string;
  /** Appends the steps: one dispatch or many. */
  readonly emit: () => void;
}

/** Work that can be done in several ways. */
export interface Choice {
  /** What kind of work it is, e.g. `matmul`: its variants are the same kernels whatever the sizes. */
  readonly family: string;
  /** Everything that the speed of the variants depends on: sizes, strides, options. Equal keys share a decision. */
  readonly key: string;
  /** At least one; the first is the default. */
  readonly variants: readonly [Variant, ...Variant[]];
}

/** A choice that was made, and where its steps are. */
export interface ChoiceSite {
  /** Family and key, by which decisions are looked up. */
  readonly id: string;
  readonly family: string;
  readonly chosen: string;
  /** Names and order classes of those that are not left out, the default first. */
  readonly variants: readonly Omit<Variant, 'emit'>[];
  /** Index of the first of its steps in the program. */
  readonly first: number;
  readonly count: number;
}

/** Variant names by {@link ChoiceSite.id}. Unknown names are ignored: the default is taken. */
export type Decisions = ReadonlyMap<string, string>;

/**
 * What is left out on this adapter, and why: variants by {@link variantName}, and kernels without variants by
 * {@link kernelName}.
 */
export type LeftOut = ReadonlyMap<string, string>;

/** A variant, whatever the sizes it is for: `matmul: 16x16`. */
export function variantName(family: string, name: string): string {
  return `${family}: ${name}`;
}

/** A kernel in messages and in {@link LeftOut}. */
export function kernelName({ name }: { readonly name: string }): string {
  return `kernel "${name}"`;
}

/** What lowering knows of the adapter, and what was decided for it. */
export interface LoweringSettings {
  /** Whether shaders run on the processor, where other kernels are fast. Default false. */
  readonly software?: boolean;
  /** Whether the device was opened with subgroups. Default false. */
  readonly subgroups?: boolean;
  readonly decisions?: Decisions;
  readonly leftOut?: LeftOut;
  /** How kernels that write tokens store weights. Default float32. */
  readonly weightPrecision?: WeightPrecision | undefined;
}
