/** A trained network, token by token, in plain loops: what small models are quickest with. */
import type { FrozenLayer, FrozenNetwork, FrozenReader, FrozenRunner, FrozenState } from '../graph/frozen.js';

/** Milliseconds of work after which timers and events are let through. */
const BREATHE_AFTER_MS = 20;

/** The states of one layer. */
interface LayerState {
  h: Float64Array;
  readonly c: Float64Array;
}

/** Runs on the CPU, with sums in float64. Equations and layouts are PyTorch's. */
export class CpuFrozenRunner implements FrozenRunner {
  readonly description = 'cpu';
  readonly #network: FrozenNetwork;

  constructor(network: FrozenNetwork) {
    this.#network = network;
  }

  start(states: readonly FrozenState[] = []): FrozenReader {
    return new CpuReader(this.#network, states);
  }

  dispose(): void {
    // It holds nothing but what the collector takes.
  }
}

class CpuReader implements FrozenReader {
  readonly #network: FrozenNetwork;
  readonly #states: readonly LayerState[];
  #lastBreath = performance.now();

  constructor(network: FrozenNetwork, states: readonly FrozenState[]) {
    const { layers, hiddenSize: H } = network;
    this.#network = network;
    const begin = (state?: Float32Array): Float64Array => Float64Array.from(state ?? new Float64Array(H));
    this.#states = layers.map((_, i) => ({ h: begin(states[i]?.h), c: begin(states[i]?.c) }));
  }

  advance(token: number): void {
    const { embedding, embeddingSize: E, layers } = this.#network;
    let x: ArrayLike<number> = embedding.subarray(token * E, (token + 1) * E);
    for (const [index, layer] of layers.entries()) {
      const state = this.#states[index]!;
      step(this.#network, layer, x, state);
      x = state.h;
    }
  }

  async predict(token: number): Promise<ArrayLike<number>> {
    this.advance(token);
    if (performance.now() - this.#lastBreath > BREATHE_AFTER_MS) await this.synchronize();
    const { outputWeight, outputBias } = this.#network;
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

/** One layer reads one vector. */
function step(
  { cell, nonlinearity, hiddenSize: H }: FrozenNetwork,
  { weightIh, weightHh, biasIh, biasHh }: FrozenLayer,
  x: ArrayLike<number>,
  state: LayerState,
): void {
  const a = affine(weightIh, biasIh, x);
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
function affine(weight: Float32Array, bias: Float32Array, x: ArrayLike<number>): Float64Array {
  const y = new Float64Array(bias);
  const width = x.length;
  for (let row = 0, at = 0; row < y.length; row++) {
    let sum = y[row]!;
    for (let k = 0; k < width; k++, at++) sum += weight[at]! * x[k]!;
    y[row] = sum;
  }
  return y;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
