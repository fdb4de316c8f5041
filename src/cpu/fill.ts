/** `fill` on the CPU. */
import { fillOperation } from '../ops/fill.js';
import { defineKernel, outputSize } from './kernel.js';

/** `y = value` everywhere. */
export const fillKernel = defineKernel(
  fillOperation,
  (call) => [call.allocate(outputSize(call.node)).fill(call.attributes.value)],
  () => 0,
);
