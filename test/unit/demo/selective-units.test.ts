/** Units that follow something are found by name, and the properties of characters are what they say. */
import { expect, it } from 'vitest';
import { findSelectiveUnits, propertiesOf } from '../../../demo/characters/selective-units.js';

const TEXT = Array.from('say("a b", x); // c (d\n{ Y = 12 }\n');

it('finds the unit that follows a property, with its sign', () => {
  const { 'inside “double quotes”': quoted, digits } = propertiesOf(TEXT);
  const units = 3;
  const hidden = new Float32Array(TEXT.length * units);
  TEXT.forEach((_, t) => {
    hidden[t * units] = Math.sin(t);
    hidden[t * units + 1] = quoted![t]! - 0.5;
    hidden[t * units + 2] = 0.9 - 1.5 * digits![t]!;
  });
  const found = findSelectiveUnits(TEXT, hidden, units);
  expect(found).toContainEqual({
    unit: 1,
    what: 'inside “double quotes”',
    correlation: expect.closeTo(1, 6) as number,
  });
  expect(found).toContainEqual({ unit: 2, what: 'digits', correlation: expect.closeTo(-1, 6) as number });
});

it('finds none where all units are still', () => {
  expect(findSelectiveUnits(TEXT, new Float32Array(TEXT.length * 2), 2)).toEqual([]);
});

it.each([
  ['inside “double quotes”', '"a b', '1'],
  ['inside comments', '/ c (d', '1'],
  ['inside braces', '{ Y = 12 ', '1'],
  ['capital letters', 'Y', '1'],
  ['digits', '12', '1'],
])('%s holds within %s and nowhere else', (name, part, mark) => {
  const values = propertiesOf(TEXT)[name]!;
  const marked = [...values].map((value) => (value > 0 ? mark : '0')).join('');
  const begin = TEXT.join('').indexOf(part);
  expect(marked).toBe(
    '0'.repeat(begin) + mark.repeat(part.length) + '0'.repeat(TEXT.length - begin - part.length),
  );
});
