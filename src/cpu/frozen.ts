/** A trained network, token by token, on the CPU: what small models are quickest with. */
import { DisposedError } from '../graph/errors.js';
import type { FrozenNetwork, FrozenReader, FrozenRunner, FrozenState } from '../graph/frozen.js';
import { plainMaps, type AffineMap, type CreateAffineMaps } from './affine-map.js';
import type { RealArray } from './storage.js';

/** Milliseconds of work after which timers and events are let through. */
const BREATHE_AFTER_MS = 20;
/** Numbers of first products that are kept: 8 MiB, or 16 in float64. */
const MOST_KEPT = 2 ** 21;

/** The states of one layer. */
interface LayerState {
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** Both products of a layer. */
interface LayerMaps {
  readonly ih: AffineMap;
  readonly hh: AffineMap;
}

/** What is left of a network when its products hold the weights. */
interface Parts extends Pick<
  FrozenNetwork,
  'cell' | 'nonlinearity' | 'hiddenSize' | 'embeddingSize' | 'embedding'
> {
  readonly layers: readonly LayerMaps[];
  readonly output: AffineMap;
}

/** Runs on the CPU. Equations and layouts are PyTorch's. */
export class CpuFrozenRunner implements FrozenRunner {
  readonly description = 'cpu';
  readonly #firstProducts = new Map<number, RealArray>();
  #parts: Parts | null;

  constructor(network: FrozenNetwork, createMaps: CreateAffineMaps = plainMaps) {
    const { cell, nonlinearity, hiddenSize, embeddingSize, embedding } = network;
    const [output, ...products] = createMaps([
      { weight: network.outputWeight, bias: network.outputBias },
      ...network.layers.flatMap(({ weightIh, weightHh, biasIh, biasHh }) => [
        { weight: weightIh, bias: biasIh },
        { weight: weightHh, bias: biasHh },
      ]),
    ]);
    const layers = network.layers.map((_, l) => ({ ih: products[2 * l]!, hh: products[2 * l + 1]! }));
    this.#parts = { cell, nonlinearity, hiddenSize, embeddingSize, embedding, layers, output: output! };
  }

  /** @throws DisposedError */
  get parts(): Parts {
    if (this.#parts) return this.#parts;
    throw new DisposedError({ culprit: 'inference', problem: 'was disposed', remedy: 'load it again' });
  }

  start(states: readonly FrozenState[] = []): FrozenReader {
    return new CpuReader(this, states);
  }

  /** What the first layer adds for a token, whatever came before it: few tokens make up most of a text. */
  firstProduct(token: number): RealArray {
    const { layers, embedding, embeddingSize: E } = this.parts;
    const known = this.#firstProducts.get(token);
    if (known) return known;
    const result = layers[0]!.ih(embedding.subarray(token * E, (token + 1) * E)).slice();
    if ((this.#firstProducts.size + 1) * result.length <= MOST_KEPT) this.#firstProducts.set(token, result);
    return result;
  }

  dispose(): void {
    this.#parts = null;
    this.#firstProducts.clear();
  }
}

class CpuReader implements FrozenReader {
  readonly #runner: CpuFrozenRunner;
  readonly #states: readonly LayerState[];
  #lastBreath = performance.now();

  constructor(runner: CpuFrozenRunner, states: readonly FrozenState[]) {
    const { layers, hiddenSize: H } = runner.parts;
    this.#runner = runner;
    const begin = (state?: Float32Array): Float64Array => Float64Array.from(state ?? new Float64Array(H));
    this.#states = layers.map((_, i) => ({ h: begin(states[i]?.h), c: begin(states[i]?.c) }));
  }

  advance(token: number): void {
    const { parts } = this.#runner;
    let x: RealArray | null = null;
    for (const [index, { ih, hh }] of parts.layers.entries()) {
      const state = this.#states[index]!;
      step(parts, x ? ih(x) : this.#runner.firstProduct(token), hh(state.h), state);
      x = state.h;
    }
  }

  async predict(token: number): Promise<ArrayLike<number>> {
    this.advance(token);
    if (performance.now() - this.#lastBreath > BREATHE_AFTER_MS) await this.synchronize();
    return this.#runner.parts.output(this.#states.at(-1)!.h).slice();
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

/** One layer goes on by one position; `a` and `b` are the products with its input and its hidden state. */
function step(
  { cell, nonlinearity, hiddenSize: H }: Parts,
  a: RealArray,
  b: RealArray,
  { h, c }: LayerState,
): void {
  for (let u = 0; u < H; u++) {
    const gate = (g: number): number => a[g * H + u]! + b[g * H + u]!;
    if (cell === 'lstm') {
      c[u] = sigmoid(gate(1)) * c[u]! + sigmoid(gate(0)) * Math.tanh(gate(2));
      h[u] = sigmoid(gate(3)) * Math.tanh(c[u]!);
    } else if (cell === 'gru') {
      const n = Math.tanh(a[2 * H + u]! + sigmoid(gate(0)) * b[2 * H + u]!);
      h[u] = n + sigmoid(gate(1)) * (h[u]! - n);
    } else {
      h[u] = nonlinearity === 'relu' ? Math.max(0, gate(0)) : Math.tanh(gate(0));
    }
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
