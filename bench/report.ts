/** Tables of results in Markdown, and the same as one JSON object. */
import { megabytes, number } from './numbers.js';
import type { Result } from './race.js';
import {
  FIRST_CHARACTERS,
  flopsOf,
  leastBytes,
  leastTraffic,
  tableFlops,
  type Workload,
} from './workloads.js';

/** What a run found. */
export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly runtime: string;
  readonly adapter: string;
  readonly races: readonly { readonly workload: Workload; readonly results: readonly Result[] }[];
  /** Tables and sentences in Markdown, in the order in which they were found. */
  readonly parts: readonly string[];
}

/** One workload's table. */
export function raceTable(workload: Workload, results: readonly Result[]): string {
  const own = results[0]!;
  const unit = unitOf(workload);
  const flops = flopsOf(workload);
  const header = [
    'contender',
    `ms a ${unit}`,
    'quartiles',
    'samples',
    'times ours',
    workload.kind === 'generation' ? `first ${FIRST_CHARACTERS} characters, ms` : `first ${unit}, ms`,
    'times ours',
    'dispatches',
    'submits',
    'GPU objects',
    'GPU MB',
    ...(flops > 0 ? ['GFLOP/s'] : []),
    'checked',
  ];
  const rows = results.map((result) => {
    const { milliseconds: ms, gpu } = result;
    if (!ms) {
      const blanks = header.slice(2, -1).map(() => '');
      return [result.name, result.state, ...blanks, result.problem.replaceAll('|', '/')];
    }
    return [
      result.name,
      number(ms.median),
      `${number(ms.lowerQuartile)}–${number(ms.upperQuartile)}`,
      `${ms.count}×${result.units}`,
      ratio(ms.median, own.milliseconds?.median),
      number(result.firstMilliseconds),
      ratio(result.firstMilliseconds, own.firstMilliseconds),
      gpu ? number(gpu.dispatches) : '',
      gpu ? number(gpu.submits) : '',
      gpu ? number(gpu.objects) : '',
      gpu ? megabytes(gpu.bytes) : '',
      ...(flops > 0 ? [number(flops / ms.median / 1e6)] : []),
      result.values
        .map((values) =>
          values
            .slice(0, 3)
            .map((value) => number(value, 5))
            .join(' '),
        )
        .filter(Boolean)
        .join(', '),
    ];
  });
  const rule = header.map((_, index) => (index === 0 || index === header.length - 1 ? '---' : '--:'));
  const lines = [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [
    `### ${workload.name}`,
    '',
    describe(workload),
    '',
    ...lines,
    '',
    ...figures(workload, own),
    ...notes(results),
  ].join('\n');
}

/** The whole report. */
export function markdown(report: Report): string {
  return [
    `## ${report.date.slice(0, 10)}, ${report.adapter}`,
    '',
    `- ${report.runtime}, on ${report.machine}`,
    `- \`${report.command}\``,
    '',
    ...report.parts.flatMap((part) => [part, '']),
  ].join('\n');
}

/** The same for programs. */
export function toJson(report: Report): string {
  const races = report.races.map(({ workload, results }) => ({
    workload,
    flops: flopsOf(workload),
    ...(workload.kind === 'training'
      ? { leastBytes: leastBytes(workload), leastTraffic: leastTraffic(workload) }
      : {}),
    results: results.map((result) => ({
      ...result,
      timesOurs: (result.milliseconds?.median ?? NaN) / (results[0]!.milliseconds?.median ?? NaN),
    })),
  }));
  return JSON.stringify({ ...report, races, parts: undefined });
}

function unitOf({ kind }: Workload): string {
  return { training: 'step', generation: 'character', product: 'batch', ctc: 'run' }[kind];
}

function describe(workload: Workload): string {
  switch (workload.kind) {
    case 'training': {
      const { cell, numLayers, hiddenSize, input, inputSize, batchSize, sequenceLength, vocabSize } =
        workload;
      const { predict, optimizer, clipNorm } = workload;
      return [
        `${cell.toUpperCase()} ${numLayers}×${hiddenSize}, ${input} ${inputSize}, B ${batchSize}, T ${sequenceLength}`,
        ...(vocabSize > 0
          ? [`V ${vocabSize}${predict === 'last' ? ', output at the last step' : ''}`]
          : ['no output layer']),
        optimizer,
        ...(clipNorm > 0 ? [`clip ${clipNorm}`] : []),
      ].join(', ');
    }
    case 'generation': {
      const { embeddingSize, numLayers, hiddenSize, vocabSize } = workload;
      return `LSTM ${numLayers}×${hiddenSize}, embedding ${embeddingSize}, V ${vocabSize}, B 1, the likeliest character each time`;
    }
    case 'product':
      return `${workload.count} products [${workload.m},${workload.k}]·[${workload.k},${workload.n}] a batch, float32`;
    case 'ctc':
      return `${workload.batchSize} sequences, T ${workload.sequenceLength}, ${workload.classes} classes, up to ${workload.labels} labels: loss and gradient`;
  }
}

/** What the table does not say of ours: work, memory and traffic against the least. */
function figures(workload: Workload, own: Result): string[] {
  const { milliseconds, gpu } = own;
  if (workload.kind === 'generation') {
    return milliseconds ? [`${number(1000 / milliseconds.median)} characters a second.`] : [];
  }
  if (workload.kind !== 'training') return [];
  const least = leastBytes(workload);
  const traffic = leastTraffic(workload);
  return [
    [
      `${number(flopsOf(workload) / 1e9)} GFLOP a step, ${number(tableFlops(workload) / 1e9)} with the input looked up`,
      `least bytes alive at once ${megabytes(least)} MB${gpu ? `, ours ${number(gpu.bytes / least)} times that` : ''}`,
      `least traffic ${megabytes(traffic)} MB${milliseconds ? `, ${number(traffic / milliseconds.median / 1e6)} GB/s` : ''}.`,
    ].join('; '),
  ];
}

/** What contenders say of themselves, and those that ran once only. */
function notes(results: readonly Result[]): string[] {
  const lines = results
    .slice(1)
    .filter(({ description }) => description !== '')
    .map(({ name, description }) => `- ${name}: ${description}`);
  return lines.length > 0 ? ['', ...lines] : [];
}

function ratio(value: number, base: number | undefined): string {
  return base === undefined ? '' : number(value / base);
}
