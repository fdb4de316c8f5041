/** From CTC's scores to labels: the best path, and a beam search over prefixes. Both run on the host. */
import { ArgumentError, NonFiniteError, ShapeError } from '../graph/errors.js';
import { checkFlag, checkOptions, checkWhole, show } from '../graph/options.js';
import { formatShape } from '../graph/shape.js';
import type { TensorData } from '../nn/module.js';

/** Options of {@link ctcGreedyDecode}. */
export interface CtcDecodeOptions {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** Steps of each sequence. Default: all of them. */
  readonly inputLengths?: ArrayLike<number>;
  /** Whether the scores are logits, of which the log softmax is taken first. Default false. */
  readonly fromLogits?: boolean;
}

/** Options of {@link ctcBeamDecode}. */
export interface CtcBeamOptions extends CtcDecodeOptions {
  /** How many prefixes are kept at each step. Default 16. */
  readonly beamWidth?: number;
}

/** Labels for one sequence. */
export interface CtcHypothesis {
  readonly labels: readonly number[];
  /** The logarithm of the probability of the paths that were followed. */
  readonly logProbability: number;
}

/** Scores as rows of log probabilities. */
interface Rows {
  readonly sequences: number;
  readonly lengthOf: (b: number) => number;
  /** The log probabilities at one step; the array is used again for the next. */
  readonly at: (t: number, b: number) => Float64Array;
}

/**
 * Takes the likeliest class at each step, then merges repeats and drops blanks. The labels need not be the
 * likeliest, for other paths may add up to more.
 * @param scores `[T,B,C]`: log probabilities, as `logSoftmax` gives them, or logits with `fromLogits`
 * @returns a hypothesis a sequence, its probability that of the one path
 * @throws ShapeError, ArgumentError or NonFiniteError when scores or options do not fit
 */
export function ctcGreedyDecode(scores: TensorData, options: CtcDecodeOptions = {}): CtcHypothesis[] {
  checkOptions('ctcGreedyDecode', options, ['blank', 'inputLengths', 'fromLogits']);
  const { blank = 0 } = options;
  const rows = rowsOf('ctcGreedyDecode', scores, options);
  return Array.from({ length: rows.sequences }, (_, b) => {
    const labels: number[] = [];
    let logProbability = 0;
    let previous = blank;
    for (let t = 0; t < rows.lengthOf(b); t++) {
      const row = rows.at(t, b);
      let best = 0;
      for (let c = 1; c < row.length; c++) if (row[c]! > row[best]!) best = c;
      if (best !== blank && best !== previous) labels.push(best);
      logProbability += row[best]!;
      previous = best;
    }
    return { labels, logProbability };
  });
}

/** Labels so far: a node of the tree of all prefixes, so that different paths to the same labels meet. */
class Prefix {
  readonly parent: Prefix | null;
  readonly label: number;
  readonly children = new Map<number, Prefix>();
  /** Log probability of the paths so far that give these labels and end in a blank. */
  inBlank = -Infinity;
  /** And of those that end in the last label. */
  inLabel = -Infinity;
  /** The same for the step at hand. */
  nextInBlank = -Infinity;
  nextInLabel = -Infinity;

  constructor(parent: Prefix | null, label: number) {
    this.parent = parent;
    this.label = label;
  }

  get total(): number {
    return logAdd(this.inBlank, this.inLabel);
  }

  child(label: number): Prefix {
    let child = this.children.get(label);
    if (!child) {
      child = new Prefix(this, label);
      this.children.set(label, child);
    }
    return child;
  }

  /** Goes one step on. */
  advance(): void {
    this.inBlank = this.nextInBlank;
    this.inLabel = this.nextInLabel;
    this.nextInBlank = -Infinity;
    this.nextInLabel = -Infinity;
  }
}

/** The labels from the beginning. */
function labelsOf(prefix: Prefix): number[] {
  const labels: number[] = [];
  for (let node = prefix; node.parent; node = node.parent) labels.push(node.label);
  return labels.reverse();
}

/**
 * Searches for the likeliest labels: keeps the `beamWidth` likeliest prefixes at each step, each with the summed
 * probability of its paths, those that end in a blank apart from those that do not (Graves, 2012; Hannun et al.,
 * 2014). With a beam as wide as there are prefixes the result is exact.
 * @param scores `[T,B,C]`: log probabilities, as `logSoftmax` gives them, or logits with `fromLogits`
 * @returns for each sequence up to `beamWidth` hypotheses, the likeliest first
 * @throws ShapeError, ArgumentError or NonFiniteError when scores or options do not fit
 */
export function ctcBeamDecode(scores: TensorData, options: CtcBeamOptions = {}): CtcHypothesis[][] {
  checkOptions('ctcBeamDecode', options, ['blank', 'inputLengths', 'fromLogits', 'beamWidth']);
  const { blank = 0, beamWidth = 16 } = options;
  checkWhole('ctcBeamDecode', 'beamWidth', beamWidth, 1);
  const rows = rowsOf('ctcBeamDecode', scores, options);
  return Array.from({ length: rows.sequences }, (_, b) => {
    const root = new Prefix(null, blank);
    root.inBlank = 0;
    let beam = [root];
    for (let t = 0; t < rows.lengthOf(b); t++) beam = step(beam, rows.at(t, b), blank, beamWidth);
    return beam.map((prefix) => ({ labels: labelsOf(prefix), logProbability: prefix.total }));
  });
}

/** The likeliest prefixes after one more step, the likeliest first. */
function step(beam: readonly Prefix[], row: Float64Array, blank: number, beamWidth: number): Prefix[] {
  const reached = new Set<Prefix>(beam);
  for (const prefix of beam) {
    const { inBlank, inLabel, total } = prefix;
    prefix.nextInBlank = logAdd(prefix.nextInBlank, total + row[blank]!);
    for (let c = 0; c < row.length; c++) {
      if (c === blank || row[c] === -Infinity) continue;
      const repeats = prefix.parent !== null && c === prefix.label;
      // Without a blank between, a repeat is the same label going on.
      if (repeats) prefix.nextInLabel = logAdd(prefix.nextInLabel, inLabel + row[c]!);
      const before = repeats ? inBlank : total;
      if (before === -Infinity) continue;
      const child = prefix.child(c);
      child.nextInLabel = logAdd(child.nextInLabel, before + row[c]!);
      reached.add(child);
    }
  }
  for (const prefix of reached) prefix.advance();
  const ranked = [...reached].filter(({ total }) => total > -Infinity).sort((x, y) => y.total - x.total);
  for (const dropped of ranked.splice(beamWidth)) forget(dropped);
  return ranked;
}

/** Lets go of a prefix; one that others go on from stays in the tree, so that they can be met again. */
function forget(prefix: Prefix): void {
  prefix.inBlank = -Infinity;
  prefix.inLabel = -Infinity;
  if (prefix.children.size === 0) prefix.parent?.children.delete(prefix.label);
}

/** `ln(eᵃ + eᵇ)`. */
function logAdd(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === -Infinity ? larger : larger + Math.log1p(Math.exp(Math.min(a, b) - larger));
}

function rowsOf(culprit: string, { shape, data }: TensorData, options: CtcDecodeOptions): Rows {
  const { blank = 0, inputLengths, fromLogits = false } = options;
  const [T, B, C] = shape;
  if (shape.length !== 3 || data.length !== T! * B! * C!) {
    throw new ShapeError({
      culprit,
      problem: `the scores have shape ${formatShape(shape)} and ${data.length} numbers`,
      remedy: 'pass shape [T,B,C] with one number an element',
    });
  }
  checkFlag(culprit, 'fromLogits', fromLogits);
  checkWhole(culprit, 'blank', blank, 0);
  if (blank >= C!) {
    throw new ArgumentError({
      culprit,
      problem: `blank is ${blank}, there are ${C} classes`,
      remedy: `pass a class from 0 to ${C! - 1}`,
    });
  }
  const given = inputLengths?.length === B ? Array.from(inputLengths!) : [];
  const lengths = inputLengths === undefined ? new Array<number>(B!).fill(T!) : given;
  const fits = (length: number): boolean => Number.isInteger(length) && length >= 0 && length <= T!;
  if (lengths.length !== B || !lengths.every(fits)) {
    throw new ArgumentError({
      culprit,
      problem: `inputLengths are ${lengths.map(show).join(', ') || show(inputLengths)}`,
      remedy: `pass ${B} whole numbers from 0 to ${T}`,
    });
  }
  const row = new Float64Array(C!);
  return {
    sequences: B,
    lengthOf: (b) => lengths[b]!,
    at(t, b) {
      const begin = (t * B + b) * C!;
      for (let c = 0; c < row.length; c++) {
        row[c] = data[begin + c]!;
        if (row[c]! < Infinity) continue;
        throw new NonFiniteError({
          culprit,
          problem: `the score of class ${c} at step ${t} of sequence ${b} is ${row[c]}`,
          remedy: 'the parameters have diverged: train with a lower learning rate or a smaller clipNorm',
        });
      }
      if (fromLogits) {
        const largest = row.reduce((a, x) => Math.max(a, x));
        if (largest === -Infinity) return row;
        const total = largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
        for (let c = 0; c < row.length; c++) row[c]! -= total;
      }
      return row;
    },
  };
}
