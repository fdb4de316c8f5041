/** `sampleToken` on the GPU: one workgroup draws for one batch row. */
import { SAMPLE_TOKEN_INPUTS as AT, sampleTokenOperation, type Sampler } from '../../ops/sample-token.js';
import { sampleTokenCutKernel, sampleTokenKernel } from '../kernels/generate.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';
import { checkIterations, countLoop } from './limits.js';

/** Invocations of a workgroup. */
const LANES = 64;

/** A product that makes the logits, `h·weight + bias`; the weight is `[K, V]`, both padded to multiples of four. */
export interface LogitsProduct {
  readonly h: View;
  /** Where its rows begin, in vec4. */
  readonly at: number;
  readonly weight: View;
  readonly bias: View | null;
  readonly quads: number;
}

/** The views of a {@link Sampler}, its numbers in one storage. */
export interface SamplerViews {
  readonly settings: View;
  /** Where in it each number lies, in words; `null` for those that are not given. */
  readonly places: Readonly<Record<Exclude<keyof Sampler, 'seeds'>, number | null>>;
  readonly seeds: View;
}

/** Whether tokens are cut away before one is drawn. */
export function cutsTokens({ places }: SamplerViews): boolean {
  return places.topK !== null || places.topP !== null;
}

/** All of a storage, so that places in it need no alignment. */
export function wholeOf({ storage }: View): View {
  return { storage, offset: 0, bytes: storage.bytes };
}

/** Where the sampler's numbers lie: usually side by side already, as inputs that are scalars do. */
export function placeSampler(
  context: LoweringContext,
  { temperature, topK, topP, position, seeds }: Sampler,
  label: string,
): SamplerViews {
  const given = { temperature, topK: topK ?? null, topP: topP ?? null, position };
  const numbers = Object.entries(given).map(([name, value]) => [name, value && context.view(value)] as const);
  const { storage } = context.view(temperature);
  const together = numbers.every(([, view]) => !view || view.storage === storage);
  const settings = together ? wholeOf(context.view(temperature)) : context.allocate('settings', 16);
  const places = numbers.map(([name, view], i) => {
    if (!view || together) return [name, view && view.offset / 4] as const;
    context.copy({ ...view, bytes: 4 }, { ...settings, offset: 4 * i, bytes: 4 }, label);
    return [name, i] as const;
  });
  return {
    settings,
    places: Object.fromEntries(places) as SamplerViews['places'],
    seeds: context.view(seeds),
  };
}

/** Appends one drawing of a token a row; `step` is added to the sampler's position. */
export function emitSampleToken(
  context: LoweringContext,
  draw: {
    readonly logits: View;
    /** Makes the logits first, where they are not there yet. */
    readonly product?: LogitsProduct | null;
    readonly batch: number;
    readonly classes: number;
    readonly sampler: SamplerViews;
    readonly step: number;
    /** The storage for the tokens, and where in it they go, in words. */
    readonly tokens: View;
    readonly tokensAt: number;
    readonly label: string;
  },
): void {
  const { logits, product = null, batch, classes, sampler, step, tokens, tokensAt, label } = draw;
  const nothing = context.nothing('read');
  const { temperature, topK, topP, position } = sampler.places;
  const indexBits = 4 * Math.ceil(Math.log2(Math.max(2, classes)) / 4);
  let cuts: View | null = null;
  if (cutsTokens(sampler)) {
    const stages = Number(topK !== null) + Number(topP !== null);
    const width = Math.ceil(classes / LANES);
    // By four bits of key and index: all tokens, all lanes, all sixteen digits up to four times.
    const digit = countLoop(width) + countLoop(LANES) + 4 * countLoop(16);
    checkIterations(
      countLoop(width) + countLoop(LANES) + countLoop(2) + stages * countLoop(8 + indexBits / 4, digit),
      `drawing from ${classes} tokens`,
      'use fewer tokens, or one of topK and topP',
    );
    cuts = context.allocate('cuts', batch * 32);
    context.dispatch(sampleTokenCutKernel, {
      buffers: { logits, settings: sampler.settings, cuts },
      parameters: {
        classes,
        width,
        temperature_at: temperature!,
        top_k_at: topK ?? 0,
        top_p_at: topP ?? 0,
        has_top_k: topK !== null,
        has_top_p: topP !== null,
        index_bits: indexBits,
      },
      workgroups: [batch, 1, 1],
      label,
      detail: `[${batch},${classes}]`,
      flops: 16 * batch * classes,
    });
  }
  context.dispatch(sampleTokenKernel, {
    buffers: {
      logits,
      h: product?.h ?? nothing,
      weight: product?.weight ?? nothing,
      bias: product?.bias ?? nothing,
      settings: sampler.settings,
      seeds: sampler.seeds,
      cuts: cuts ?? nothing,
      tokens,
    },
    parameters: {
      classes,
      // Products are made four at a time.
      width: product ? 4 * Math.ceil(classes / LANES / 4) : Math.ceil(classes / LANES),
      quads: product?.quads ?? 0,
      h_at: product?.at ?? 0,
      has_bias: !!product?.bias,
      has_cuts: cuts !== null,
      temperature_at: temperature!,
      position_at: position!,
      step,
      tokens_at: tokensAt,
      index_bits: indexBits,
    },
    workgroups: [batch, 1, 1],
    label,
    detail: `[${batch},${classes}]`,
    flops: batch * classes * (5 + (product ? 8 * product.quads : 0)),
  });
}

export const lowerSampleToken = defineLowering({
  operation: sampleTokenOperation,
  lower(node, context) {
    const { inputs, label } = node;
    const logits = inputs[AT.logits]!;
    const tokens = context.output(node.outputs[0]!, 'tokens');
    const [batch, classes] = logits.shape as readonly [number, number];
    const sampler = placeSampler(
      context,
      {
        temperature: inputs[AT.temperature]!,
        topK: inputs[AT.topK] ?? null,
        topP: inputs[AT.topP] ?? null,
        seeds: inputs[AT.seeds]!,
        position: inputs[AT.position]!,
      },
      label,
    );
    const view = context.view(logits);
    emitSampleToken(context, {
      logits: view.offset === 0 ? view : aligned(context, view, label),
      batch,
      classes,
      sampler,
      step: 0,
      tokens: wholeOf(tokens),
      tokensAt: tokens.offset / 4,
      label,
    });
  },
});

/** The same numbers in a storage of their own. */
function aligned(context: LoweringContext, view: View, label: string): View {
  const copy = context.allocate('logits', view.bytes);
  context.copy(view, copy, label);
  return copy;
}
