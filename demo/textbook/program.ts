/** What a textbook program is. */
import type { Executor } from '../../src/index.js';

/** Shows a line. */
export type Print = (line: string) => void;

/** Runs on an executor, prints its result and returns it; `text` is that of a file of the user's own. */
export type Program = (executor: Executor, print: Print, text?: string) => Promise<unknown>;
