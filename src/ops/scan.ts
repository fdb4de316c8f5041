/** `scan`: a loop over a user's own step, differentiated by a second loop that runs the other way. */
import { differentiate } from '../graph/differentiate.js';
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import { defineOperation } from '../graph/operation.js';
import { checkSize, formatShape, sameShape } from '../graph/shape.js';
import { checkValue, type Node, type Value, type ValueSpec } from '../graph/value.js';
import { add } from './binary.js';
import { checkCount, checkNumbers, present } from './check.js';
import { fill } from './fill.js';

/** Attributes of {@link scanOperation}. */
export interface ScanAttributes {
  /**
   * One step: inputs `carry0…`, `x0…`, `const0…`; outputs `carry0…`, `y0…`. It reads no variables and
   * updates none.
   */
  readonly body: Graph;
  /** Number of steps T. */
  readonly length: number;
  readonly carryCount: number;
  readonly xCount: number;
  readonly constCount: number;
  readonly yCount: number;
  /** Whether steps run from the last index to the first; `xs` and `ys` keep their places. */
  readonly reverse: boolean;
}

/**
 * `[...carry, ...xs[T,…], ...consts] → [...finalCarry, ...ys[T,…], ...carries[T,…]]`; the last are the
 * carry as each step began, kept for the backward loop and computed only where read.
 */
export const scanOperation = defineOperation<ScanAttributes>({
  name: 'scan',
  infer(inputs, attributes, culprit) {
    const { body, length, carryCount, xCount, constCount, yCount } = attributes;
    checkSize(culprit, 'length', length);
    checkCount(culprit, inputs, carryCount + xCount + constCount);
    if (body.reads.size > 0 || body.updates.length > 0) {
      const [variable] = [...body.reads.keys(), ...body.updates.map((u) => u.variable)];
      throw new ArgumentError({
        culprit,
        problem: `the body uses variable "${variable!.name}"`,
        remedy: 'read it outside and pass the value in consts',
      });
    }
    const declared = new Map(body.inputs.map(({ name, value }) => [name, value]));
    const results = new Map(body.outputs.map(({ name, value }) => [name, value]));
    const carry = (i: number): ValueSpec => present(culprit, inputs, i, `carry ${i}`);
    for (let i = 0; i < carryCount; i++) {
      agree(culprit, `carry ${i}`, carry(i), declared.get(`carry${i}`));
      const next = results.get(`carry${i}`);
      if (!next) throw missing(culprit, `carry ${i}`);
      agree(culprit, `carry ${i} as the body returns it`, next, carry(i));
    }
    for (let i = 0; i < xCount; i++) {
      const x = present(culprit, inputs, carryCount + i, `x ${i}`);
      checkNumbers(culprit, x);
      if (x.shape[0] !== length) {
        throw new ShapeError({
          culprit,
          problem: `x ${i} has shape ${formatShape(x.shape)}, the loop has ${length} steps`,
          remedy: `let its first dimension be ${length}`,
        });
      }
      agree(culprit, `x ${i}`, { shape: x.shape.slice(1), dtype: x.dtype }, declared.get(`x${i}`));
    }
    for (let i = 0; i < constCount; i++) {
      const constant = present(culprit, inputs, carryCount + xCount + i, `const ${i}`);
      agree(culprit, `const ${i}`, constant, declared.get(`const${i}`));
    }
    const carries = Array.from({ length: carryCount }, (_, i) => carry(i));
    const ys = Array.from({ length: yCount }, (_, i) => {
      const y = results.get(`y${i}`);
      if (!y) throw missing(culprit, `y ${i}`);
      return y;
    });
    const stacked = ({ shape, dtype }: ValueSpec): ValueSpec => ({ shape: [length, ...shape], dtype });
    return [
      ...carries.map(({ shape, dtype }) => ({ shape, dtype })),
      ...ys.map(stacked),
      ...carries.map(stacked),
    ];
  },
  gradient: differentiateScan,
});

function missing(culprit: string, name: string): ArgumentError {
  return new ArgumentError({ culprit, problem: `the body returns no ${name}`, remedy: 'return every one' });
}

function agree(culprit: string, name: string, got: ValueSpec, wanted: ValueSpec | undefined): void {
  if (wanted && sameShape(got.shape, wanted.shape) && got.dtype === wanted.dtype) return;
  throw new ShapeError({
    culprit,
    problem: `${name} is ${got.dtype}${formatShape(got.shape)}`,
    remedy: wanted ? `let it be ${wanted.dtype}${formatShape(wanted.shape)}` : 'the body has no such input',
  });
}

/**
 * The loop run the other way. Its carry is the gradient of the forward carry and the sum, so far, of the
 * constants' gradients; each step repeats the forward step from its saved beginning and differentiates it.
 */
function differentiateScan(
  node: Node<ScanAttributes>,
  dOutputs: readonly (Value | null)[],
  wanted: readonly boolean[],
): (Value | null)[] {
  const { body, length, carryCount, xCount, constCount, yCount, reverse } = node.attributes;
  const { graph } = node.outputs[0]!;
  const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  const input = (i: number): Value => node.inputs[i]!;
  const real = (value: Value): boolean => value.dtype === 'float32';
  const realCarries = indices(carryCount).filter((i) => real(input(i)));
  const wantedXs = indices(xCount).filter((i) => wanted[carryCount + i]);
  const wantedConsts = indices(constCount).filter((i) => wanted[carryCount + xCount + i]);
  const givenYs = indices(yCount).filter((i) => dOutputs[carryCount + i]);

  const carry = [
    ...realCarries.map((i) => dOutputs[i] ?? fill(graph, input(i).shape, 0)),
    ...wantedConsts.map((i) => fill(graph, input(carryCount + xCount + i).shape, 0)),
  ];
  const xs = [
    ...indices(carryCount).map((i) => node.outputs[carryCount + yCount + i]!),
    ...indices(xCount).map((i) => input(carryCount + i)),
    ...givenYs.map((i) => dOutputs[carryCount + i]!),
  ];
  const consts = indices(constCount).map((i) => input(carryCount + xCount + i));

  const result = scan({ carry, xs, consts, length, reverse: !reverse, label: node.label }, (step, args) => {
    const carryIn = args.xs.slice(0, carryCount);
    const xIn = args.xs.slice(carryCount, carryCount + xCount);
    const outputs = inlineGraph(body, step, [
      ...carryIn.map((value, i) => [`carry${i}`, value] as const),
      ...xIn.map((value, i) => [`x${i}`, value] as const),
      ...args.consts.map((value, i) => [`const${i}`, value] as const),
    ]);
    const targets = [
      ...realCarries.map((i) => outputs.get(`carry${i}`)!),
      ...givenYs.map((i) => outputs.get(`y${i}`)!),
    ];
    const upstream = [...args.carry.slice(0, realCarries.length), ...args.xs.slice(carryCount + xCount)];
    const sources = [
      ...realCarries.map((i) => carryIn[i]!),
      ...wantedConsts.map((i) => args.consts[i]!),
      ...wantedXs.map((i) => xIn[i]!),
    ];
    const gradients = differentiate(targets, upstream, sources, { add });
    const orZeros = (i: number): Value => gradients[i] ?? fill(step, sources[i]!.shape, 0);
    return {
      carry: [
        ...realCarries.map((_, k) => orZeros(k)),
        ...wantedConsts.map((_, k) => {
          const sum = args.carry[realCarries.length + k]!;
          const gradient = gradients[realCarries.length + k];
          return gradient ? add(sum, gradient) : sum;
        }),
      ],
      ys: wantedXs.map((_, k) => orZeros(realCarries.length + wantedConsts.length + k)),
    };
  });

  const dInputs = node.inputs.map((): Value | null => null);
  realCarries.forEach((i, k) => (dInputs[i] = result.carry[k]!));
  wantedConsts.forEach((i, k) => (dInputs[carryCount + xCount + i] = result.carry[realCarries.length + k]!));
  wantedXs.forEach((i, k) => (dInputs[carryCount + i] = result.ys[k]!));
  return dInputs;
}

/** Records the nodes of `body` in `target`, with its inputs replaced by name; returns its outputs by name. */
export function inlineGraph(
  body: Graph,
  target: Graph,
  inputs: readonly (readonly [string, Value])[],
): Map<string, Value> {
  const replacement = new Map<Value, Value>();
  const byName = new Map(inputs);
  for (const { name, value } of body.inputs) replacement.set(value, byName.get(name)!);
  for (const { operation, inputs: operands, attributes, outputs, label } of body.nodes) {
    const copies = target.record(
      operation,
      operands.map((operand) => operand && replacement.get(operand)!),
      attributes,
      label,
    );
    outputs.forEach((output, i) => replacement.set(output, copies[i]!));
  }
  return new Map(body.outputs.map(({ name, value }) => [name, replacement.get(value)!]));
}

/** What {@link scan} takes. */
export interface ScanInputs {
  /** What one step hands to the next: its first values. */
  readonly carry: readonly Value[];
  /** Arrays cut along their first dimension, one slice a step. */
  readonly xs?: readonly Value[];
  /** Values that every step sees whole, such as weights. */
  readonly consts?: readonly Value[];
  /** Number of steps; the first dimension of `xs` by default. */
  readonly length?: number;
  /** Whether to run from the last slice to the first; `ys` keep the places of the slices. */
  readonly reverse?: boolean;
  /** Names the loop in messages and listings. */
  readonly label?: string;
}

/** The values of one step, in the body's own graph. */
export interface ScanStep {
  readonly carry: readonly Value[];
  readonly xs: readonly Value[];
  readonly consts: readonly Value[];
}

/** What the body of {@link scan} returns. */
export interface ScanStepResult {
  /** The next carry: same count, shapes and types. */
  readonly carry: readonly Value[];
  /** Results of this step, stacked over all. */
  readonly ys?: readonly Value[];
}

/**
 * Runs `body` once a slice of `xs`, handing `carry` from step to step. The body is recorded once, in a graph
 * of its own: it uses only what it is given, so variables and outer values come in through `consts`.
 * @returns the carry after the last step, and each `y` stacked along a new first dimension
 * @throws ArgumentError where the body uses variables or outer values, ShapeError where shapes do not fit
 */
export function scan(
  inputs: ScanInputs,
  body: (graph: Graph, step: ScanStep) => ScanStepResult,
): { carry: Value[]; ys: Value[] } {
  const { carry, xs = [], consts = [], reverse = false, label = '' } = inputs;
  const culprit = label ? `scan "${label}"` : 'scan';
  const graph = (carry[0] ?? xs[0] ?? consts[0])?.graph;
  if (!graph) {
    throw new ArgumentError({ culprit, problem: 'got no values', remedy: 'pass a carry, xs or consts' });
  }
  for (const value of [...carry, ...xs, ...consts]) {
    checkValue(culprit, 'a carry, x or const', value);
    checkNumbers(culprit, value);
  }
  const length = inputs.length ?? xs[0]?.shape[0];
  if (length === undefined) {
    throw new ArgumentError({
      culprit,
      problem: 'the number of steps is unknown',
      remedy: 'pass length, or xs with a first dimension',
    });
  }
  const step = new Graph(`${graph.name}/${label || 'scan'}`);
  const declare = (name: string, value: Value, shape = value.shape): Value =>
    step.input(name, shape, value.dtype === 'int32' ? 'int32' : 'float32');
  const result = body(step, {
    carry: carry.map((value, i) => declare(`carry${i}`, value)),
    xs: xs.map((value, i) => declare(`x${i}`, value, value.shape.slice(1))),
    consts: consts.map((value, i) => declare(`const${i}`, value)),
  });
  if (result.carry.length !== carry.length) {
    throw new ArgumentError({
      culprit,
      problem: `the body returns ${result.carry.length} carried values, it was given ${carry.length}`,
      remedy: 'return as many as came in',
    });
  }
  const ys = result.ys ?? [];
  result.carry.forEach((value, i) => step.output(`carry${i}`, value));
  ys.forEach((value, i) => step.output(`y${i}`, value));
  const outputs = graph.record(
    scanOperation,
    [...carry, ...xs, ...consts],
    {
      body: step,
      length,
      carryCount: carry.length,
      xCount: xs.length,
      constCount: consts.length,
      yCount: ys.length,
      reverse,
    },
    label,
  );
  return {
    carry: outputs.slice(0, carry.length),
    ys: outputs.slice(carry.length, carry.length + ys.length),
  };
}
