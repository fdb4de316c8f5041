/** Settings in the address of the page: what is known and fits is taken, all else is left out. */
import { expect, it } from 'vitest';
import { settingsFromLink } from '../../../demo/characters/settings-form.js';

it.each([
  ['', {}],
  ['#', {}],
  ['#cell=gru&hiddenSize=256&learningRate=1e-3', { cell: 'gru', hiddenSize: 256, learningRate: 0.001 }],
  ['#cell=transformer&hiddenSize=&numLayers=two&topP=0.9', { topP: 0.9 }],
  ['#unknown=1&__proto__=2', {}],
])('%s', (hash, expected) => {
  expect(settingsFromLink(hash)).toEqual(expected);
});
