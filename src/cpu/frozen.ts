/** A trained network, token by token, in plain loops: what small models are quickest with. */
import type { FrozenLayer, FrozenNetwork, FrozenReader, FrozenRunner, FrozenState } from '../graph/frozen.js';
import { product } from './product.js';
import type { RealArray } from './storage.js';

/** Milliseconds of work after which timers and events are let through. */
const BREATHE_AFTER_MS = 20;
/** Numbers of first products that are kept: 16 MiB. */
const MOST_KEPT = 2 ** 21;

/** The states of one layer. */
interface LayerState {
  h: Float64Array;
  readonly c: Float64Array;
}

/** Runs on the CPU, with sums in float64. Equations and layouts are PyTorch's. */
export class CpuFrozenRunner implements FrozenRunner {
  readonly description = 'cpu';
  readonly network: FrozenNetwork;
  readonly #firstProducts = new Map<number, Float64Array>();

  constructor(network: FrozenNetwork) {
    this.network = network;
  }

  start(states: readonly FrozenState[] = []): FrozenReader {
    return new CpuReader(this, states);
  }

  /** What the first layer adds for a token, whatever came before it: few tokens make up most of a text. */
  firstProduct(token: number): Float64Array {
    const known = this.#firstProducts.get(token);
    if (known) return known;
    const { embedding, embeddingSize: E, layers } = this.network;
    const { weightIh, biasIh } = layers[0]!;
    const result = affine(weightIh, biasIh, embedding.subarray(token * E, (token + 1) * E));
    if ((this.#firstProducts.size + 1) * result.length <= MOST_KEPT) this.#firstProducts.set(token, result);
    return result;
  }

  dispose(): void {
    this.#firstProducts.clear();
  }
}

class CpuReader implements FrozenReader {
  readonly #runner: CpuFrozenRunner;
  readonly #states: readonly LayerState[];
  #lastBreath = performance.now();

  constructor(runner: CpuFrozenRunner, states: readonly FrozenState[]) {
    const { layers, hiddenSize: H } = runner.network;
    this.#runner = runner;
    const begin = (state?: Float32Array): Float64Array => Float64Array.from(state ?? new Float64Array(H));
    this.#states = layers.map((_, i) => ({ h: begin(states[i]?.h), c: begin(states[i]?.c) }));
  }

  advance(token: number): void {
    const { network } = this.#runner;
    let x: Float64Array | null = null;
    for (const [index, layer] of network.layers.entries()) {
      const state = this.#states[index]!;
      step(
        network,
        layer,
        x ? affine(layer.weightIh, layer.biasIh, x) : this.#runner.firstProduct(token),
        state,
      );
      x = state.h;
    }
  }

  async predict(token: number): Promise<ArrayLike<number>> {
    this.advance(token);
    if (performance.now() - this.#lastBreath > BREATHE_AFTER_MS) await this.synchronize();
    const { outputWeight, outputBias } = this.#runner.network;
    return affine(outputWeight, outputBias, this.#states.at(-1)!.h);
  }

  /** Work is done when a call returns; this lets timers and events through. */
  async synchronize(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.#lastBreath = performance.now();
  }

  dispose(): void {
    // As the runner.
  }
}

/** One layer goes on by one position; `a` is the product with its input. */
function step(
  { cell, nonlinearity, hiddenSize: H }: FrozenNetwork,
  { weightHh, biasHh }: FrozenLayer,
  a: Float64Array,
  state: LayerState,
): void {
  const b = affine(weightHh, biasHh, state.h);
  const h = new Float64Array(H);
  for (let u = 0; u < H; u++) {
    const gate = (g: number): number => a[g * H + u]! + b[g * H + u]!;
    if (cell === 'lstm') {
      state.c[u] = sigmoid(gate(1)) * state.c[u]! + sigmoid(gate(0)) * Math.tanh(gate(2));
      h[u] = sigmoid(gate(3)) * Math.tanh(state.c[u]!);
    } else if (cell === 'gru') {
      const n = Math.tanh(a[2 * H + u]! + sigmoid(gate(0)) * b[2 * H + u]!);
      h[u] = n + sigmoid(gate(1)) * (state.h[u]! - n);
    } else {
      h[u] = nonlinearity === 'relu' ? Math.max(0, gate(0)) : Math.tanh(gate(0));
    }
  }
  state.h = h;
}

/** `W·x + b`. */
function affine(weight: Float32Array, bias: Float32Array, x: RealArray): Float64Array {
  const y = new Float64Array(bias.length);
  product(y, x, weight, 1, y.length, x.length, bias);
  return y;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
