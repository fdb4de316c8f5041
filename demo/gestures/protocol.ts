/** What the page of gestures and its worker say to each other. */
import type { DeviceFacts } from '../frame/device.js';
import type { Stroke } from './strokes.js';

/** An example of a gesture. */
export interface Example {
  readonly stroke: Stroke;
  /** Which gesture, from 0. */
  readonly label: number;
}

/** What the page asks. */
export interface GestureCalls {
  probe(request: null): DeviceFacts;
  /** Learns examples of so many gestures. */
  train(request: {
    readonly examples: readonly Example[];
    readonly classes: number;
    readonly backend: 'webgpu' | 'cpu';
  }): { readonly accuracy: number; readonly seconds: number };
  /** The probability of each gesture for a stroke, which may be unfinished. */
  classify(request: Stroke): readonly number[];
}

/** What the worker tells while it learns. */
export interface GestureEvent {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}
