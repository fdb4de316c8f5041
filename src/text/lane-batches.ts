/** Contiguous-lane batching: a long text as B lanes read side by side, so that state carries from batch to batch. */
import { guardMemory, TextError } from '../graph/errors.js';
import { checkOptions, checkWhole } from '../graph/options.js';

/** One batch of lanes, time-major. */
export interface LaneBatch {
  /** Tokens [T,B]. */
  readonly inputs: Int32Array;
  /** The token after each input [T,B]. */
  readonly targets: Int32Array;
  /** T of this batch. */
  readonly length: number;
  /** Whether the lanes begin anew, so that the carried state must be zeroed before this batch. */
  readonly reset: boolean;
}

/** Sizes of batches. */
export interface LaneOptions {
  /** B: how many lanes the text is cut into. */
  readonly batchSize: number;
  /** T: how many steps of each lane a batch has. */
  readonly sequenceLength: number;
}

/**
 * Cuts tokens into B lanes of equal length, lane b being the b-th stretch of the text, and hands out
 * windows of T steps, each going on where the last one ended. At the end of the lanes it begins anew.
 */
export class LaneBatches {
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Predictions in one lane. */
  readonly laneLength: number;
  readonly #tokens: Int32Array;
  #position = 0;
  #fingerprint: number | null = null;

  /**
   * @param what names the text in messages
   * @throws TextError when the text is too short for one batch; it says what is needed and what would fit
   */
  constructor(tokens: Int32Array, options: LaneOptions, what = 'text') {
    checkOptions('batches', options, ['batchSize', 'sequenceLength']);
    const { batchSize, sequenceLength } = options;
    checkWhole('batches', 'batchSize', batchSize, 1);
    checkWhole('batches', 'sequenceLength', sequenceLength, 1);
    const predictions = tokens.length - 1;
    const laneLength = Math.floor(predictions / batchSize);
    if (laneLength < sequenceLength) {
      throw new TextError({
        culprit: what,
        problem: `has ${tokens.length} characters, batchSize ${batchSize} × sequenceLength ${sequenceLength} needs at least ${batchSize * sequenceLength + 1}`,
        remedy: fittingSizes(predictions, batchSize, sequenceLength),
      });
    }
    this.batchSize = batchSize;
    this.sequenceLength = sequenceLength;
    this.laneLength = laneLength;
    this.#tokens = tokens;
  }

  /** Batches of full length from the begin of the lanes to their end. */
  get batchesPerPass(): number {
    return Math.floor(this.laneLength / this.sequenceLength);
  }

  /** Goes to where `next` has been called so many times. */
  seek(batches: number): void {
    this.#position = (batches % this.batchesPerPass) * this.sequenceLength;
  }

  /** A number that tells texts apart: FNV-1a over the tokens, as 32 bits. */
  get fingerprint(): number {
    if (this.#fingerprint === null) {
      let hash = 0x811c9dc5;
      for (const token of this.#tokens) hash = Math.imul(hash ^ token, 0x01000193);
      this.#fingerprint = hash >>> 0;
    }
    return this.#fingerprint;
  }

  /** The next T steps of every lane; begins anew where less than T are left. */
  next(): LaneBatch {
    if (this.#position + this.sequenceLength > this.laneLength) this.#position = 0;
    const batch = this.#window(this.#position, this.sequenceLength);
    this.#position += this.sequenceLength;
    return batch;
  }

  /** Every step of every lane once, the last batch being shorter where T does not divide the lanes. */
  *pass(): Generator<LaneBatch> {
    for (let begin = 0; begin < this.laneLength; begin += this.sequenceLength) {
      yield this.#window(begin, Math.min(this.sequenceLength, this.laneLength - begin));
    }
  }

  #window(begin: number, length: number): LaneBatch {
    const { batchSize, laneLength } = this;
    const [inputs, targets] = guardMemory('batch', () => {
      return [new Int32Array(length * batchSize), new Int32Array(length * batchSize)] as const;
    });
    for (let lane = 0; lane < batchSize; lane++) {
      const offset = lane * laneLength + begin;
      for (let t = 0; t < length; t++) {
        inputs[t * batchSize + lane] = this.#tokens[offset + t]!;
        targets[t * batchSize + lane] = this.#tokens[offset + t + 1]!;
      }
    }
    return { inputs, targets, length, reset: begin === 0 };
  }
}

/** What would fit instead: fewer lanes at the same length, or one lane and a shorter length. */
function fittingSizes(predictions: number, batchSize: number, sequenceLength: number): string {
  const lanes = Math.floor(predictions / sequenceLength);
  if (lanes >= 1) {
    const shorter = Math.floor(predictions / batchSize);
    const other = shorter >= 1 ? ` or sequenceLength ${shorter}` : '';
    return `give more text, or set batchSize ${lanes}${other}`;
  }
  if (predictions >= 1) return `give more text, or set batchSize 1 and sequenceLength ${predictions}`;
  return 'give more text: at least two characters';
}
