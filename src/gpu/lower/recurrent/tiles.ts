/** How recurrent steps are shared out: how many batch rows an invocation computes, and how many steps a dispatch. */
import { foldWorkgroups } from '../../kernels/kernel.js';
import type { TileRows } from '../../kernels/recurrent.js';
import { alignUp } from '../../memory.js';
import type { Variant } from '../choice.js';
import type { LoweringContext } from '../context.js';
import type { Layout } from './layout.js';
import { canPersist, persistentHeights, persistsByDefault } from './persistent.js';

/** Up to this many batch rows, each has invocations of its own. */
const FEW_ROWS = 2;
/** Invocations that keep a GPU busy; with fewer, smaller tiles are faster though they load more. */
const BUSY = 16_384;
/** How long a row of a tile of sixteen takes, in rows of a tile of eight: measured on SwiftShader. */
const COST_OF_SIXTEEN = 0.78;

/** Invocations that load for one another, and that a software adapter runs at once. */
const TOGETHER = 4;
/** How long a tile takes whose invocations load for one another, in tiles of the others: measured on SwiftShader. */
const COST_OF_TOGETHER = 0.9;

/** One way to run the steps of a window. */
export interface Tile {
  /** Batch rows that an invocation computes. */
  readonly rows: TileRows;
  /** Whether many steps are one dispatch. */
  readonly persistent: boolean;
  /** Whether four invocations load for one another. */
  readonly together?: boolean;
}

/** Workgroups of a forward step over `units` units: four of them an invocation. */
export function forwardWorkgroups(
  { B, D }: Pick<Layout, 'B' | 'D'>,
  units: number,
  { rows, together = false }: Pick<Tile, 'rows' | 'together'>,
): readonly [number, number, number] {
  const invocations = Math.ceil(B / rows) * alignUp(Math.ceil(units / 4), together ? TOGETHER : 1);
  return [foldWorkgroups(invocations, rows === 16 ? 8 : 16)[0], 1, D];
}

/** Workgroups of a backward step over `units` units: four, eight or sixteen of them an invocation. */
export function backwardWorkgroups(
  { B, D }: Pick<Layout, 'B' | 'D'>,
  units: number,
  { rows, together = false }: Pick<Tile, 'rows' | 'together'>,
): readonly [number, number, number] {
  const across = alignUp(Math.ceil(units / Math.max(4, rows)), together ? TOGETHER : 1);
  const invocations = Math.ceil(B / rows) * across;
  return [foldWorkgroups(invocations, rows === 16 ? 4 : 16)[0], 1, D];
}

/** Appends the steps of a layer's window in the way that was decided on. All of them add in the same order. */
export function emitTiled(
  context: LoweringContext,
  layout: Layout,
  { family, steps, key = '' }: { readonly family: string; readonly steps: number; readonly key?: string },
  emit: (tile: Tile) => void,
): void {
  const { T, B, D, G, P, Q, attributes, kernels, projected, variant } = layout;
  const cell = [
    attributes.cell,
    ...(kernels.resetGate === null ? [] : ['reset before']),
    ...(projected ? ['projected'] : []),
    variant,
  ];
  // Tiles side by side in a step.
  const across = family === 'recurrent_forward' ? P / 4 : Math.ceil(Q / 16);
  const variants = tilesFor(layout, context, across).map((tile): Variant => ({
    name: `${tile.persistent ? 'persistent, ' : ''}${tile.rows} ${tile.rows === 1 ? 'row' : 'rows'}${tile.together ? ' together' : ''}`,
    orderClass: 'fours',
    emit: () => {
      emit(tile);
    },
  }));
  context.choose({
    family: `${family} ${cell.join(' ')}`,
    key: `${D}x${B}x${G}x${P}x${Q} ${steps} of ${T}${key}`,
    variants: variants as [Variant, ...Variant[]],
  });
}

/** The ways that could be fastest, the likeliest first. */
function tilesFor(layout: Layout, { software, subgroups }: LoweringContext, across: number): Tile[] {
  const steps = heights(layout, software).flatMap((rows): Tile[] => {
    const alone: Tile = { rows, persistent: false };
    if (rows < 16 || !subgroups || !canLoadTogether(layout)) return [alone];
    const tiles = Math.ceil(layout.B / rows);
    const pays =
      tiles * Math.ceil(across / TOGETHER) * COST_OF_TOGETHER < Math.ceil((tiles * across) / TOGETHER);
    const together: Tile = { ...alone, together: true };
    return pays ? [together, alone] : [alone, together];
  });
  if (!canPersist(layout)) return steps;
  const many = persistentHeights(layout, software).map((rows): Tile => ({ rows, persistent: true }));
  return persistsByDefault(layout, software) ? [...many, ...steps] : [...steps, ...many];
}

/** Whether there are kernels of the layer's steps whose invocations load for one another. */
function canLoadTogether({ kernels, variant, projected }: Layout): boolean {
  return variant === 'plain' && !projected && kernels.resetGate === null;
}

/** The heights that could be fastest, the likeliest first. */
function heights({ B, D, P }: Layout, software: boolean): TileRows[] {
  if (B <= FEW_ROWS) return [1];
  if (B <= 8) return software ? [8, 1] : [1, 8];
  if (software) {
    const sixteen = Math.ceil(B / 16) * 16 * COST_OF_SIXTEEN < Math.ceil(B / 8) * 8;
    return sixteen ? [16, 8] : [8, 16];
  }
  const invocations = (D * Math.ceil(B / 8) * P) / 4;
  return invocations < BUSY ? [1, 8] : [8, 1];
}
