/** Settings in the address of the page: what is known and fits is taken, all else is left out. */
import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../demo/characters/protocol.js';
import { linkOf, settingsFromLink } from '../../../demo/characters/settings-link.js';

it('brings settings back from their link', () => {
  const settings = {
    ...DEFAULT_SETTINGS,
    cell: 'gru',
    hiddenSize: 7,
    learningRate: 1e-7,
    topP: 0.5,
  } as const;
  expect({ ...DEFAULT_SETTINGS, ...settingsFromLink(`#${linkOf(settings)}`) }).toEqual(settings);
  expect(linkOf(DEFAULT_SETTINGS)).toBe('');
});

it.each([
  ['', {}],
  ['#', {}],
  ['#cell=gru&hiddenSize=256&learningRate=1e-3', { cell: 'gru', hiddenSize: 256, learningRate: 0.001 }],
  ['#cell=transformer&hiddenSize=&numLayers=two&topP=0.9', { topP: 0.9 }],
  ['#unknown=1&__proto__=2', {}],
  ['#numLayers=1e15&hiddenSize=-5&batchSize=2.5&topP=7&dropout=NaN&seed=%20', { numLayers: 1e15 }],
])('%s', (hash, expected) => {
  expect(settingsFromLink(hash)).toEqual(expected);
});
