/** What tuning may exchange, and the stores it remembers in. */
import { describe, expect, test } from 'vitest';
import { memoryTuningStore, textTuningStore } from '../../../src/gpu/tuning/store.js';
import { sameOrder } from '../../../src/gpu/tuning/tuner.js';
import type { ChoiceSite } from '../../../src/gpu/lower/choice.js';

function site(id: string, chosen: string): ChoiceSite {
  const variants = [
    { name: 'small', orderClass: 'fours' },
    { name: 'large', orderClass: 'fours' },
    { name: 'split', orderClass: 'parts' },
  ];
  return { id, family: 'write', chosen, variants, first: 0, count: 1 };
}

describe('a plan that has run', () => {
  test.each([
    ['takes a variant of the same order', 'small', 'large', 'large'],
    ['keeps its own where the other adds in another order', 'small', 'split', 'small'],
    ['keeps one of another order than the default', 'split', 'small', 'split'],
    ['keeps its own where the name is unknown', 'large', 'gone', 'large'],
  ])('%s', (_, chosen, decided, result) => {
    expect(sameOrder([site('a', chosen)], new Map([['a', decided]])).get('a')).toBe(result);
  });

  test('keeps what was not decided', () => {
    expect(sameOrder([site('a', 'split')], new Map()).get('a')).toBe('split');
  });
});

describe('stores', () => {
  test('memory gives what was set last', async () => {
    const store = memoryTuningStore();
    expect(await store.get('a')).toBeNull();
    await store.set('a', '1');
    await store.set('a', '2');
    expect(await store.get('a')).toBe('2');
  });

  test('a text holds several keys, and outlives the store', async () => {
    let text = '';
    const open = (): ReturnType<typeof textTuningStore> =>
      textTuningStore(
        () => Promise.resolve(text),
        (written) => {
          text = written;
          return Promise.resolve();
        },
      );
    await open().set('a', '1');
    await open().set('b', '{"x":"y"}');
    expect(await open().get('a')).toBe('1');
    expect(await open().get('b')).toBe('{"x":"y"}');
  });

  test.each(['', 'not JSON', 'null', '[1]', '{"a": 5}'])('the text %j is an empty store', async (text) => {
    const store = textTuningStore(
      () => Promise.resolve(text),
      () => Promise.resolve(),
    );
    expect(await store.get('a')).toBeNull();
  });
});
