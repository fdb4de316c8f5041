/** Parts of the library that are downloaded when needed, and what is said where they cannot be. */
import { expect, it } from 'vitest';
import { FetchError, fetched } from '../../../src/graph/errors.js';

it('gives the part', async () => {
  expect(await fetched('a part', () => Promise.resolve(7))).toBe(7);
});

it('says which part did not come, and why', async () => {
  const cause = new TypeError('Failed to fetch dynamically imported module');
  const failed = fetched('the rule of "ctcLoss"', () => Promise.reject(cause));
  await expect(failed).rejects.toThrow(FetchError);
  await expect(failed).rejects.toMatchObject({ culprit: 'the rule of "ctcLoss"', cause });
});
