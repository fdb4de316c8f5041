/** What tuning may exchange, and the stores it remembers in. */
import { describe, expect, test } from 'vitest';
import { memoryTuningStore, textTuningStore, type TuningStore } from '../../../src/gpu/tuning/store.js';
import { sameOrder, Tuner } from '../../../src/gpu/tuning/tuner.js';
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

describe('what is left out', () => {
  const host = {} as ConstructorParameters<typeof Tuner>[0];
  const tunerOn = (store: TuningStore): Tuner =>
    new Tuner(host, { store, surroundings: 'here', budget: 0, checkUsable: () => undefined });

  test('is remembered, all of it, also by two tuners at once', async () => {
    const store = memoryTuningStore();
    const [one, other] = [tunerOn(store), tunerOn(store)];
    await Promise.all([
      one.leaveOut(new Map([['a', 'wrong']])),
      one.leaveOut(new Map([['b', 'wrong too']])),
      other.leaveOut(new Map([['c', 'also']])),
    ]);
    const later = tunerOn(store);
    await later.remembered();
    expect([...later.leftOut.keys()].sort()).toEqual(['a', 'b', 'c']);
  });

  test('is remembered by a store that has failed before', async () => {
    const kept = memoryTuningStore();
    let full = true;
    const store: TuningStore = {
      get: (key) => kept.get(key),
      set: (key, value) => (full ? Promise.reject(new Error('full')) : kept.set(key, value)),
    };
    await tunerOn(store).leaveOut(new Map([['a', 'wrong']]));
    full = false;
    await tunerOn(store).leaveOut(new Map([['b', 'wrong']]));
    const later = tunerOn(store);
    await later.remembered();
    expect([...later.leftOut.keys()]).toEqual(['b']);
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
    const store = open();
    await Promise.all([store.set('a', '1'), store.set('b', '{"x":"y"}')]);
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
