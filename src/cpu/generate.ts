/** `generate` on the CPU: the graph of one step, run again and again. */
import { CELLS } from '../ops/cells.js';
import { generateInputs, generateOperation } from '../ops/generate.js';
import { defineKernel } from './kernel.js';
import type { Data } from './storage.js';

export const generateKernel = defineKernel(
  generateOperation,
  (call) => {
    const { body, cell, length, writes } = call.attributes;
    const program = call.prepare(body);
    const names = CELLS[cell].states;
    const values = call.node.inputs.map((input, i) => (input ? call.data(i) : null));
    const inputs = new Map<string, Data>(generateInputs(values, call.attributes));
    const given = call.int(0);
    const batch = call.shape(0).at(-1)!;
    const tokens = writes ? call.arena.int(length * batch) : null;
    const position = Int32Array.of(inputs.get('position')?.[0] ?? 0);
    if (writes) inputs.set('position', position);
    for (let t = 0; t < length; t++) {
      const previous = tokens && t > 0 ? tokens : given;
      const row = tokens ? Math.max(0, t - 1) : t;
      inputs.set('token', previous.subarray(row * batch, (row + 1) * batch));
      const outputs = program.run(inputs, call.arena);
      for (const name of names) {
        if (t > 0) call.arena.release(inputs.get(name)!);
        inputs.set(name, outputs.get(name)!);
      }
      const token = outputs.get('token');
      if (tokens && token) {
        tokens.set(token, t * batch);
        call.arena.release(token);
      }
      position[0]!++;
    }
    const states = names.map((name) => inputs.get(name)!);
    return tokens ? [...states, tokens] : states;
  },
  (node, prepare) => node.attributes.length * prepare(node.attributes.body).flops,
);
