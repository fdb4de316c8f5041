/** Random networks of awkward shapes on the GPU against the reference, by whatever variants of the kernels. */
import type { GpuCase } from '../case.js';
import { searchContext } from '../random/check.js';
import { searchConfigurations } from '../random/search.js';

const [COUNT, AT_ONCE, SEED] = [500, 25, 1];

export const cases: readonly GpuCase[] = Array.from({ length: COUNT / AT_ONCE }, (_, i) => ({
  name: `random configurations ${i * AT_ONCE} to ${(i + 1) * AT_ONCE - 1}`,
  async run(context) {
    const { sensitive } = await searchConfigurations(searchContext(context), {
      seed: SEED,
      from: i * AT_ONCE,
      count: AT_ONCE,
    });
    // A comparison that gives way too often would prove nothing.
    if (sensitive > AT_ONCE / 5) throw new Error(`${sensitive} of ${AT_ONCE} hang on rounding`);
  },
}));
