/** `sampleToken` on the GPU: one workgroup draws for one batch row. */
import { SAMPLE_TOKEN_INPUTS as AT, sampleTokenOperation, type Sampler } from '../../ops/sample-token.js';
import { sampleTokenKernel } from '../kernels/index.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';

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

/** The views of a {@link Sampler}, its four numbers in one storage. */
export interface SamplerViews {
  readonly settings: View;
  /** Where in it each number lies, in words. */
  readonly places: Readonly<Record<Exclude<keyof Sampler, 'seeds'>, number>>;
  readonly seeds: View;
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
  const numbers = [temperature, topK, topP, position].map((value) => context.view(value));
  let settings = wholeOf(numbers[0]!);
  let places = numbers.map(({ offset }) => offset / 4);
  if (numbers.some(({ storage }) => storage !== settings.storage)) {
    settings = context.allocate('settings', 16);
    places = [0, 1, 2, 3];
    numbers.forEach((number, i) => {
      context.copy({ ...number, bytes: 4 }, { ...settings, offset: 4 * i, bytes: 4 }, label);
    });
  }
  const [temperatureAt, topKAt, topPAt, positionAt] = places as [number, number, number, number];
  return {
    settings,
    places: { temperature: temperatureAt, topK: topKAt, topP: topPAt, position: positionAt },
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
  context.dispatch(sampleTokenKernel, {
    buffers: {
      logits,
      h: product?.h ?? nothing,
      weight: product?.weight ?? nothing,
      bias: product?.bias ?? nothing,
      settings: sampler.settings,
      seeds: sampler.seeds,
      tokens,
    },
    parameters: {
      classes,
      // Products are made four at a time.
      width: product ? 4 * Math.ceil(classes / LANES / 4) : Math.ceil(classes / LANES),
      quads: product?.quads ?? 0,
      h_at: product?.at ?? 0,
      has_bias: !!product?.bias,
      temperature_at: temperature,
      top_k_at: topK,
      top_p_at: topP,
      position_at: position,
      step,
      tokens_at: tokensAt,
      index_bits: 4 * Math.ceil(Math.log2(Math.max(2, classes)) / 4),
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
        topK: inputs[AT.topK]!,
        topP: inputs[AT.topP]!,
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
