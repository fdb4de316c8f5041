/** Records of kept models: a whole one is read as it was written, and one that is not is told from it. */
import { expect, it } from 'vitest';
import { checksumOf } from '../../../demo/characters/checksum.js';
import { recordStep } from '../../../demo/characters/history.js';
import { DamagedRecord, readContent, readFacts } from '../../../demo/characters/kept-record.js';
import { DEFAULT_SETTINGS, emptyHistory, type History } from '../../../demo/characters/protocol.js';

function historyOf(steps: number): History {
  const history = emptyHistory();
  for (let step = 1; step <= steps; step++) {
    recordStep(history, { step, loss: 1 / step, gradientNorm: 1, learningRate: 0.1, seconds: step });
  }
  return history;
}

function record() {
  const checkpoint = Uint8Array.from({ length: 40 }, (_, index) => index * 7);
  const history = historyOf(3);
  history.validation.push({ step: 2, loss: 0.5, seconds: 2 });
  history.samples.push({ step: 2, text: 'abc' });
  history.scores.push({ step: 2, exact: 0.5, cases: [{ question: 'a=', answer: 'a', written: 'b' }] });
  const facts = {
    id: 'id',
    name: 'name',
    kind: 'LSTM 1×16',
    textName: 'text',
    step: 3,
    steps: 9,
    loss: 0.5,
    savedAt: 1,
    bytes: checkpoint.length,
    textId: '5-abc',
    owner: '',
    checksum: checksumOf(checkpoint),
  };
  return { facts, content: { id: 'id', settings: DEFAULT_SETTINGS, history, checkpoint } };
}

it('knows the check value of CRC-32', () => {
  expect(checksumOf(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  expect(checksumOf(new Uint8Array())).toBe(0);
});

it('reads what was written', () => {
  const { facts, content } = record();
  expect(readFacts(facts)).toEqual(facts);
  expect(readContent(content, facts)).toEqual(content);
});

it('tells a record that lacks a part, or has another in its place', () => {
  const { facts, content } = record();
  for (const value of [undefined, null, 'text']) {
    expect(() => readFacts(value)).toThrow(DamagedRecord);
    expect(() => readContent(value, facts)).toThrow(DamagedRecord);
  }
  for (const name of Object.keys(facts)) {
    for (const wrong of [undefined, NaN, {}]) {
      expect(() => readFacts({ ...facts, [name]: wrong }), name).toThrow(`its entry has no proper ${name}`);
    }
  }
  for (const name of Object.keys(content)) {
    for (const wrong of [undefined, 3, []]) {
      expect(() => readContent({ ...content, [name]: wrong }, facts), name).toThrow(DamagedRecord);
    }
  }
  for (const name of Object.keys(DEFAULT_SETTINGS)) {
    const settings = { ...DEFAULT_SETTINGS, [name]: 'other' };
    expect(() => readContent({ ...content, settings }, facts)).toThrow(`its settings has no proper ${name}`);
  }
  for (const name of Object.keys(content.history)) {
    for (const wrong of [undefined, [{}, {}, {}], ['a', 'b', 'c']]) {
      const history = { ...content.history, [name]: wrong };
      expect(() => readContent({ ...content, history }, facts), name).toThrow(
        `its history has no proper ${name}`,
      );
    }
  }
  const history = { ...content.history, losses: [1, 2] };
  expect(() => readContent({ ...content, history }, facts)).toThrow('columns of unequal length');
});

it('tells any single bit that has changed, and any byte that is missing', () => {
  const { facts, content } = record();
  for (let bit = 0; bit < 8 * content.checkpoint.length; bit++) {
    const checkpoint = content.checkpoint.slice();
    checkpoint[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => readContent({ ...content, checkpoint }, facts)).toThrow('do not match their checksum');
  }
  const checkpoint = content.checkpoint.slice(1);
  expect(() => readContent({ ...content, checkpoint }, facts)).toThrow('have 39 bytes instead of 40');
});

it('forgets later steps when a run goes on from an earlier one', () => {
  const history = historyOf(6);
  history.validation.push({ step: 2, loss: 1, seconds: 2 }, { step: 5, loss: 1, seconds: 5 });
  history.samples.push({ step: 4, text: 'a' }, { step: 5, text: 'b' });
  recordStep(history, {
    step: 5,
    loss: 7,
    gradientNorm: 1,
    learningRate: 0.1,
    seconds: 9,
    validationLoss: 8,
  });
  expect(history.steps).toEqual([1, 2, 3, 4, 5]);
  expect(history.losses.at(-1)).toBe(7);
  expect(history.seconds).toHaveLength(5);
  expect(history.validation).toEqual([
    { step: 2, loss: 1, seconds: 2 },
    { step: 5, loss: 8, seconds: 9 },
  ]);
  expect(history.samples).toEqual([{ step: 4, text: 'a' }]);
});
