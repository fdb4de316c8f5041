/** A plan in print: dispatches with kernels and sizes, buffers with lifetimes. */
import type { Lifetime, MemoryLayout, Storage } from './memory.js';
import type { DispatchStep, Program } from './program.js';

/** Lays out rows in columns; numbers to the right. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (/^[\d.,]+( \w+)?$/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)];
}

const SCALES = [
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
] as const;

/** `1.3 M`, `640`. */
function short(value: number): string {
  for (const [suffix, scale] of SCALES) if (value >= scale) return `${(value / scale).toFixed(1)} ${suffix}`;
  return String(value);
}

/** Bytes a dispatch can touch: the views it binds. */
function bytesOf(step: DispatchStep): number {
  return step.views.reduce(
    (sum, { bytes, storage }) => sum + (storage.label.startsWith('unused') ? 0 : bytes),
    0,
  );
}

/** Steps of one kind in a row: one line of the listing. */
export interface StepGroup {
  first: number;
  count: number;
  kernel: string;
  label: string;
  details: string[];
  workgroups: string;
  flops: number;
  bytes: number;
}

/** Groups the steps of a program by kernel, label and size of the dispatch, as far as they follow each other. */
export function groupSteps(program: Program): StepGroup[] {
  const runs: StepGroup[] = [];
  program.steps.forEach((step, index) => {
    const dispatch = step.type === 'dispatch';
    const kernel = dispatch ? step.kernel.name : '(copy)';
    const last = runs.at(-1);
    const detail = dispatch ? step.detail : step.from.storage.label;
    const flops = dispatch ? step.flops : 0;
    const bytes = dispatch ? bytesOf(step) : step.from.bytes;
    const workgroups = dispatch ? step.workgroups.filter((count, i) => i === 0 || count > 1).join('×') : '';
    if (last?.kernel === kernel && last.label === step.label && last.workgroups === workgroups) {
      last.count++;
      last.details.push(detail);
      last.flops += flops;
      last.bytes += bytes;
    } else {
      runs.push({
        first: index,
        count: 1,
        kernel,
        label: step.label,
        details: [detail],
        workgroups,
        flops,
        bytes,
      });
    }
  });
  return runs;
}

/** The choices that did not fall on the default, each once. */
function decisionsOf({ choices }: Program): string[] {
  const decided = choices.filter(({ chosen, variants }) => chosen !== variants[0]!.name);
  if (decided.length === 0) return [];
  const lines = new Set(decided.map(({ id, chosen }) => `  ${id}: ${chosen}`));
  return ['', 'variants other than the default:', ...lines];
}

/** The listing of {@link Plan.describe}. */
export function describeProgram(
  program: Program,
  memory: MemoryLayout,
  lifetimes: ReadonlyMap<Storage, Lifetime>,
  submits = 1,
): string {
  const runs = groupSteps(program);
  const dispatches = program.steps.filter(({ type }) => type === 'dispatch').length;
  const flops = runs.reduce((sum, run) => sum + run.flops, 0);
  const owned = [...lifetimes].filter(([storage]) => memory.assignment.has(storage));
  const total = memory.buffers.reduce((sum, bytes) => sum + bytes, 0);
  return [
    `plan "${program.name}": ${dispatches} dispatches, ${program.steps.length - dispatches} copies, ${submits} ${submits === 1 ? 'submit' : 'submits'}, ${short(flops)}FLOP`,
    '',
    ...table(
      ['step', 'times', 'kernel', 'layer', 'sizes', 'workgroups', 'bytes bound', 'FLOP'],
      runs.map((run) => [
        String(run.first),
        String(run.count),
        run.kernel,
        run.label,
        run.count === 1 ? run.details[0]! : `${run.details[0]!} … ${run.details.at(-1)!}`,
        run.workgroups,
        short(run.bytes),
        short(run.flops),
      ]),
    ),
    ...(program.packings.length > 0
      ? [
          '',
          'packed copies, refreshed when their variable has changed:',
          ...program.packings.map(({ storage }) => `  ${storage.label}  ${short(storage.bytes)}B`),
        ]
      : []),
    ...decisionsOf(program),
    '',
    `memory: ${short(total)}B in ${memory.buffers.length} buffers; ${short(memory.peakBytes)}B alive at once`,
    ...table(
      ['buffer', 'bytes', 'holds', 'from step', 'to step'],
      owned
        .map(([storage, { first, last }]) => ({
          storage,
          first,
          last,
          buffer: memory.assignment.get(storage)!,
        }))
        .sort((a, b) => a.buffer - b.buffer || a.first - b.first)
        .map(({ storage, first, last, buffer }) => [
          String(buffer),
          short(storage.bytes),
          storage.label,
          storage.role === 'transient' || storage.role === 'output' ? String(first) : 'start',
          storage.role === 'transient' ? String(last) : 'end',
        ]),
    ),
  ].join('\n');
}
