/** CTC decoding against all paths of short sequences. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, NonFiniteError, ShapeError } from '../../../src/graph/errors.js';
import { ctcBeamDecode, ctcGreedyDecode, type CtcBeamOptions } from '../../../src/text/ctc-decoding.js';
import { allPaths, collapse } from '../support/ctc-paths.js';
import { expectClose } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';

const random = randomSource(41);

/** Rows of probabilities as scores of one sequence. */
const oneSequence = (rows: readonly (readonly number[])[]) => ({
  shape: [rows.length, 1, rows[0]!.length],
  data: Float64Array.from(rows.flat(), Math.log),
});

/** Log probabilities by chance, `[T,B,C]`. */
function randomScores(T: number, B: number, C: number) {
  const data = randomArray(random, T * B * C, -2.5, 2.5);
  for (let begin = 0; begin < data.length; begin += C) {
    const total = Math.log(data.slice(begin, begin + C).reduce((sum, x) => sum + Math.exp(x), 0));
    for (let c = 0; c < C; c++) data[begin + c]! -= total;
  }
  return { shape: [T, B, C], data };
}

/** All labels that some path gives, with their whole probability, the likeliest first. */
function byAllPaths(
  { shape, data }: ReturnType<typeof randomScores>,
  b: number,
  length: number,
  blank: number,
): { labels: string; probability: number }[] {
  const [, B, C] = shape as [number, number, number];
  const found = new Map<string, number>();
  for (const path of allPaths(length, C)) {
    const labels = collapse(path, blank).join();
    const score = path.reduce((sum, c, t) => sum + data[(t * B + b) * C + c]!, 0);
    found.set(labels, (found.get(labels) ?? 0) + Math.exp(score));
  }
  return [...found]
    .map(([labels, probability]) => ({ labels, probability }))
    .sort((x, y) => y.probability - x.probability);
}

describe('ctcBeamDecode', () => {
  it.each([
    [5, 2, 0],
    [5, 3, 0],
    [4, 3, 2],
    [4, 4, 1],
    [1, 3, 0],
  ])('with a wide beam finds every labelling of %i steps of %i classes, blank %i', (T, C, blank) => {
    const scores = randomScores(T, 2, C);
    const inputLengths = [T, Math.max(0, T - 2)];
    const hypotheses = ctcBeamDecode(scores, { blank, beamWidth: 1000, inputLengths });
    for (const b of [0, 1]) {
      const wanted = byAllPaths(scores, b, inputLengths[b]!, blank);
      expect(hypotheses[b]!.map(({ labels }) => labels.join())).toEqual(wanted.map(({ labels }) => labels));
      expectClose(
        hypotheses[b]!.map(({ logProbability }) => Math.exp(logProbability)),
        wanted.map(({ probability }) => probability),
      );
    }
  });
  it('with a narrow beam finds less, and never too much of it', () => {
    const scores = randomScores(6, 1, 3);
    const wanted = new Map(
      byAllPaths(scores, 0, 6, 0).map(({ labels, probability }) => [labels, probability]),
    );
    for (const beamWidth of [1, 2, 3, 5, 8]) {
      const [hypotheses] = ctcBeamDecode(scores, { beamWidth });
      expect(hypotheses!.length).toBe(Math.min(beamWidth, wanted.size));
      expect(new Set(hypotheses!.map(({ labels }) => labels.join())).size).toBe(hypotheses!.length);
      hypotheses!.forEach(({ labels, logProbability }, i) => {
        expect(Math.exp(logProbability)).toBeLessThanOrEqual(wanted.get(labels.join())! + 1e-12);
        if (i > 0) expect(logProbability).toBeLessThanOrEqual(hypotheses![i - 1]!.logProbability);
      });
    }
  });
  it('meets again a prefix that it had dropped, as a search over a table of all prefixes does', () => {
    const add = (x: number, y: number): number => Math.log(Math.exp(x) + Math.exp(y));
    for (let trial = 0; trial < 300; trial++) {
      const scores = randomScores(9, 1, 3);
      const beamWidth = 1 + (trial % 5);
      let beam = new Map([['', { blank: 0, label: -Infinity }]]);
      for (let t = 0; t < 9; t++) {
        const [blank, ...labels] = scores.data.slice(t * 3, t * 3 + 3) as unknown as [number, number, number];
        const next: typeof beam = new Map();
        const at = (prefix: string) => {
          if (!next.has(prefix)) next.set(prefix, { blank: -Infinity, label: -Infinity });
          return next.get(prefix)!;
        };
        for (const [prefix, now] of beam) {
          const total = add(now.blank, now.label);
          at(prefix).blank = add(at(prefix).blank, total + blank);
          labels.forEach((score, i) => {
            const label = String(i + 1);
            if (prefix.endsWith(label)) at(prefix).label = add(at(prefix).label, now.label + score);
            const longer = at(prefix + label);
            longer.label = add(longer.label, (prefix.endsWith(label) ? now.blank : total) + score);
          });
        }
        const ranked = [...next].filter(([, { blank: x, label }]) => add(x, label) > -Infinity);
        ranked.sort(([, x], [, y]) => add(y.blank, y.label) - add(x.blank, x.label));
        beam = new Map(ranked.slice(0, beamWidth));
      }
      const [hypotheses] = ctcBeamDecode(scores, { beamWidth });
      expect(hypotheses!.map(({ labels }) => labels.join(''))).toEqual([...beam.keys()]);
      expectClose(
        hypotheses!.map(({ logProbability }) => logProbability),
        [...beam.values()].map(({ blank, label }) => add(blank, label)),
      );
    }
  });
  it('adds up paths, where the best path is not of the best labels', () => {
    const scores = oneSequence([
      [0.6, 0.4],
      [0.6, 0.4],
    ]);
    expect(ctcGreedyDecode(scores)[0]!.labels).toEqual([]);
    const [[best, second]] = ctcBeamDecode(scores) as [
      [{ labels: number[]; logProbability: number }, object],
    ];
    expect(best.labels).toEqual([1]);
    expectClose([Math.exp(best.logProbability)], [0.64]);
    expect(second).toMatchObject({ labels: [] });
  });
  it('tells a label held from a label said twice', () => {
    const held = oneSequence([
      [0.1, 0.9],
      [0.1, 0.9],
      [0.1, 0.9],
    ]);
    const twice = oneSequence([
      [0.1, 0.9],
      [0.9, 0.1],
      [0.1, 0.9],
    ]);
    expect(ctcBeamDecode(held)[0]![0]!.labels).toEqual([1]);
    expect(ctcBeamDecode(twice)[0]![0]!.labels).toEqual([1, 1]);
  });
  it('leaves out what is impossible', () => {
    const scores = oneSequence([
      [0, 1, 0],
      [0.5, 0, 0.5],
    ]);
    const [hypotheses] = ctcBeamDecode(scores, { beamWidth: 10 });
    expect(hypotheses!.map(({ labels }) => labels.join()).sort()).toEqual(['1', '1,2']);
  });
  it('takes the log softmax of logits', () => {
    const logits = { shape: [3, 2, 4], data: randomArray(random, 24, -3, 3) };
    const shifted = { ...logits, data: logits.data.map((x) => x + 100) };
    const [first] = ctcBeamDecode(logits, { fromLogits: true, beamWidth: 1000 });
    const [second] = ctcBeamDecode(shifted, { fromLogits: true, beamWidth: 1000 });
    expectClose([first!.reduce((sum, { logProbability }) => sum + Math.exp(logProbability), 0)], [1]);
    expectClose(
      second!.map(({ logProbability }) => logProbability),
      first!.map(({ logProbability }) => logProbability),
    );
  });
});

describe('ctcGreedyDecode', () => {
  it('follows the best path', () => {
    for (const blank of [0, 2]) {
      const scores = randomScores(5, 3, 3);
      const found = ctcGreedyDecode(scores, { blank, inputLengths: [5, 3, 0] });
      found.forEach(({ labels, logProbability }, b) => {
        const length = [5, 3, 0][b]!;
        const score = (path: readonly number[]): number =>
          path.reduce((sum, c, t) => sum + scores.data[(t * 3 + b) * 3 + c]!, 0);
        const best = [...allPaths(length, 3)].reduce((x, y) => (score(y) > score(x) ? y : x));
        expect(labels).toEqual(collapse(best, blank));
        expectClose([logProbability], [score(best)]);
      });
    }
  });
});

describe.each([
  ['ctcGreedyDecode', ctcGreedyDecode as (scores: never, options: CtcBeamOptions) => unknown],
  ['ctcBeamDecode', ctcBeamDecode as (scores: never, options: CtcBeamOptions) => unknown],
])('%s refuses', (name, decode) => {
  const good = { shape: [2, 1, 3], data: new Float32Array(6) };
  it.each([
    ['two dimensions', { ...good, shape: [2, 3] }, {}, ShapeError, /shape \[2,3\].*\[T,B,C\]/],
    ['too few numbers', { ...good, data: new Float32Array(5) }, {}, ShapeError, /5 numbers/],
    ['NaN', { ...good, data: new Float32Array(6).fill(NaN, 4) }, {}, NonFiniteError, /class 1 at step 1/],
    ['no such blank', good, { blank: 3 }, ArgumentError, /blank is 3, there are 3 classes/],
    ['half a blank', good, { blank: 0.5 }, ArgumentError, /blank is 0.5/],
    ['too long an input', good, { inputLengths: [3] }, ArgumentError, /inputLengths are 3/],
    ['too many inputs', good, { inputLengths: [1, 1] }, ArgumentError, /pass 1 whole numbers/],
    ['no such option', good, { width: 3 } as CtcBeamOptions, ArgumentError, /no option "width"/],
    ['maybe', good, { fromLogits: 1 as unknown as boolean }, ArgumentError, /fromLogits is 1/],
  ])('%s', (_what, scores, options, type, message) => {
    const call = () => decode(scores as never, options);
    expect(call).toThrow(type);
    expect(call).toThrow(message);
    expect(call).toThrow(name);
  });
  it('a beam of none', () => {
    if (name === 'ctcBeamDecode')
      expect(() => decode(good as never, { beamWidth: 0 })).toThrow(/beamWidth is 0/);
    else expect(() => decode(good as never, { beamWidth: 2 })).toThrow(/no option "beamWidth"/);
  });
});
