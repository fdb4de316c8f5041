/** Modules made of modules: in a row, or by name. */
import { ArgumentError } from '../graph/errors.js';
import { checkObject, show } from '../graph/options.js';
import type { Value } from '../graph/value.js';
import type { ForwardContext } from './context.js';
import { Module } from './module.js';
import { RecurrentLayer } from './recurrent.js';

/** A layer from one value to one value. */
export interface UnaryLayer extends Module {
  forward(x: Value, context?: ForwardContext): Value;
}

/** A layer that also gives states, which {@link Sequential} drops: `RNN`, `LSTM`, `GRU`. */
export interface SequenceLayer extends Module {
  forward(x: Value, state?: undefined, context?: ForwardContext): { readonly output: Value };
}

/** What {@link Sequential} takes: layers, and plain functions such as `relu`. */
export type SequentialPart = UnaryLayer | SequenceLayer | ((x: Value) => Value);

/** Layers one after another. As in PyTorch, parameters are named by position: `0.weight`, `2.weight`. */
export class Sequential extends Module {
  readonly #parts: readonly SequentialPart[];

  /** @throws ArgumentError when a part is neither a layer nor a function */
  constructor(...parts: readonly SequentialPart[]) {
    super('sequential');
    parts.forEach((part, index) => {
      if (part instanceof Module) this.addModule(String(index), part);
      else if (typeof part !== 'function') {
        throw new ArgumentError({
          culprit: this.culprit,
          problem: `part ${index} is ${show(part)}`,
          remedy: 'pass layers and functions',
        });
      }
    });
    this.#parts = parts;
  }

  /** The value after the last part. */
  forward(x: Value, context?: ForwardContext): Value {
    return this.#parts.reduce((value, part) => {
      if (part instanceof RecurrentLayer) return part.forward(value, undefined, context).output;
      return part instanceof Module ? (part as UnaryLayer).forward(value, context) : part(value);
    }, x);
  }
}

/** Modules by name, for models whose forward is written by hand: `new ModuleDict({ rnn, output })`. */
export class ModuleDict<M extends Readonly<Record<string, Module>>> extends Module {
  readonly modules: M;

  /** @throws ArgumentError when a part is no layer */
  constructor(modules: M) {
    super('module dict');
    checkObject(this.culprit, modules);
    this.modules = modules;
    for (const [name, module] of Object.entries(modules)) {
      if (!(module instanceof Module)) {
        throw new ArgumentError({
          culprit: this.culprit,
          problem: `part ${show(name)} is ${show(module)}`,
          remedy: 'pass layers by name',
        });
      }
      this.addModule(name, module);
    }
  }
}
