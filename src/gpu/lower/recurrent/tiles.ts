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

/** Numbers in a direction's weight from which the last rows of a batch are worth a dispatch of their own. */
const WORTH_A_DISPATCH = 4 * 96 * 96;
/** Invocations of a workgroup of sixteen rows: a dispatch of whole tiles must not reach beyond them. */
const WORKGROUPS_OF_SIXTEEN = { recurrent_forward: 8, recurrent_backward: 4 } as const;

/** One way to run the steps of a window. */
export interface Tile {
  /** Batch rows that an invocation computes. */
  readonly rows: TileRows;
  /** Whether many steps are one dispatch. */
  readonly persistent: boolean;
  /** Whether four invocations load for one another. */
  readonly together?: boolean;
  /** Rows an invocation computes of what is left of the batch behind whole tiles, in a dispatch of its own. */
  readonly rest?: TileRows;
}

function tilesDown(B: number, rows: TileRows, rest?: TileRows): number {
  return rest ? Math.floor(B / rows) : Math.ceil(B / rows);
}

/** Workgroups of a forward step over `units` units: four of them an invocation. */
export function forwardWorkgroups(
  { B, D }: Layout,
  units: number,
  { rows, together = false, rest }: Omit<Tile, 'persistent'>,
): readonly [number, number, number] {
  const invocations = tilesDown(B, rows, rest) * alignUp(Math.ceil(units / 4), together ? TOGETHER : 1);
  return [foldWorkgroups(invocations, rows === 16 ? 8 : 16)[0], 1, D];
}

/** Workgroups of a backward step over `units` units: four, eight or sixteen of them an invocation. */
export function backwardWorkgroups(
  { B, D }: Layout,
  units: number,
  { rows, together = false, rest }: Omit<Tile, 'persistent'>,
): readonly [number, number, number] {
  const across = alignUp(Math.ceil(units / Math.max(4, rows)), together ? TOGETHER : 1);
  const invocations = tilesDown(B, rows, rest) * across;
  return [foldWorkgroups(invocations, rows === 16 ? 4 : 16)[0], 1, D];
}

/** Appends the steps of a layer's window in the way that was decided on. All of them add in the same order. */
export function emitTiled(
  context: LoweringContext,
  layout: Layout,
  { family, steps }: { readonly family: keyof typeof WORKGROUPS_OF_SIXTEEN; readonly steps: number },
  emit: (tile: Tile) => void,
): void {
  const { T, B, D, G, P, Q, attributes, kernels, projected, variant } = layout;
  const cell = [
    attributes.cell,
    ...(kernels.resetGate === null ? [] : ['reset before']),
    ...(projected ? ['projected'] : []),
    variant,
  ];
  const variants = tilesFor(layout, context, family).map((tile): Variant => ({
    name: nameOf(tile),
    orderClass: 'fours',
    emit: () => {
      emit(tile);
    },
  }));
  context.choose({
    family: `${family} ${cell.join(' ')}`,
    key: `${D}x${B}x${G}x${P}x${Q} ${steps} of ${T}`,
    variants: variants as [Variant, ...Variant[]],
  });
}

function nameOf({ rows, persistent, together, rest }: Tile): string {
  const parts = [persistent ? 'persistent, ' : '', rows, rows === 1 ? ' row' : ' rows'];
  return [...parts, together ? ' together' : '', rest ? `, then ${rest}` : ''].join('');
}

/** The ways that could be fastest, the likeliest first. */
function tilesFor(
  layout: Layout,
  { software, subgroups }: LoweringContext,
  family: keyof typeof WORKGROUPS_OF_SIXTEEN,
): Tile[] {
  // Tiles of sixteen rows side by side in a step.
  const across = family === 'recurrent_forward' ? layout.P / 4 : Math.ceil(layout.Q / 16);
  const steps = heights(layout, software).flatMap((rows): Tile[] => {
    const alone: Tile = { rows, persistent: false };
    if (rows < 16 || !isUsual(layout)) return [alone];
    const tiles = Math.ceil(layout.B / rows);
    const pays =
      tiles * Math.ceil(across / TOGETHER) * COST_OF_TOGETHER < Math.ceil((tiles * across) / TOGETHER);
    const together: Tile[] = subgroups ? [{ ...alone, together: true }] : [];
    const whole = pays ? [...together, alone] : [alone, ...together];
    const [best] = whole;
    const wide = best!.together ? alignUp(across, TOGETHER) : across;
    const fits = ((tiles - 1) * wide) % WORKGROUPS_OF_SIXTEEN[family] === 0;
    const rest = fits ? restOf(layout) : null;
    return rest ? [{ ...best!, rest }, ...whole] : whole;
  });
  if (!canPersist(layout)) return steps;
  const many = persistentHeights(layout, software).map((rows): Tile => ({ rows, persistent: true }));
  return persistsByDefault(layout, software) ? [...many, ...steps] : [...steps, ...many];
}

/** Rows an invocation should compute of what is left behind tiles of sixteen, where that is worth a dispatch. */
function restOf(layout: Layout): TileRows | null {
  const { B, G, P, Q } = layout;
  const left = B % 16;
  if (B < 16 || left === 0 || left > 8 || G * P * Q < WORTH_A_DISPATCH || !isUsual(layout)) return null;
  return left <= FEW_ROWS ? 1 : 8;
}

/** Whether the layer's steps are one dispatch of a kernel without options, of which there are most variants. */
function isUsual({ kernels, variant, projected }: Layout): boolean {
  return variant === 'plain' && !projected && kernels.resetGate === null;
}

/** The heights that could be fastest, the likeliest first. */
function heights(layout: Layout, software: boolean): TileRows[] {
  const { B, D, P } = layout;
  if (B <= FEW_ROWS) return [1];
  if (B <= 8) return software ? [8, 1] : [1, 8];
  if (software) {
    const whole = restOf(layout) ? Math.floor(B / 16) : Math.ceil(B / 16);
    const sixteen = whole * 16 * COST_OF_SIXTEEN < Math.ceil(B / 8) * 8 - (restOf(layout) ? 8 : 0);
    return sixteen ? [16, 8] : [8, 16];
  }
  const invocations = (D * Math.ceil(B / 8) * P) / 4;
  return invocations < BUSY ? [1, 8] : [8, 1];
}
