/** What the page of forecasts and its worker say to each other. */
import type { DeviceFacts } from '../frame/device.js';

/** What a run is told. */
export interface ForecastSettings {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly hiddenSize: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** Futures that the model has drawn, each as likely as the others. */
export interface Futures {
  readonly step: number;
  /** One array of values a future. */
  readonly paths: readonly Float32Array[];
}

/** What the page asks. */
export interface ForecastCalls {
  probe(request: null): DeviceFacts;
  /** Learns a series, and forecasts from its end while it learns and at last. */
  train(request: {
    readonly values: readonly number[];
    readonly horizon: number;
    readonly settings: ForecastSettings;
    readonly backend: 'webgpu' | 'cpu';
  }): { readonly steps: number; readonly stopped: boolean; readonly seconds: number };
  /** Draws other futures. */
  draw(request: { readonly seed: number }): Futures;
}

/** What the worker tells while it works. */
export type ForecastEvent =
  | { readonly type: 'step'; readonly step: number; readonly loss: number }
  | ({ readonly type: 'futures' } & Futures);
