/** The page of `npm run test:random`. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import type { GpuContext } from '../case.js';
import { checkConfiguration, searchContext } from './check.js';
import { parseConfiguration } from './configuration.js';
import { searchConfigurations, type SearchOptions, type SearchResult } from './search.js';

declare global {
  interface Window {
    randomNetworks?: {
      /** The adapter, for people. */
      describe(): Promise<string>;
      /** Checks one configuration; resolves to null when it passed, and else to what went wrong. */
      check(told: string): Promise<string | null>;
      /** Checks many; resolves to what went wrong with the first that fails. */
      search(options: SearchOptions): Promise<SearchResult | string>;
    };
  }
}

const context = GpuExecutor.create().then((executor): GpuContext => ({
  executor,
  reference: () => new CpuExecutor({ precision: 'float64' }),
}));

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

window.randomNetworks = {
  describe: async () => (await context).executor.description,
  check: async (told) =>
    checkConfiguration(await context, parseConfiguration(told)).then(() => null, messageOf),
  search: async (options) => searchConfigurations(searchContext(await context), options).catch(messageOf),
};
