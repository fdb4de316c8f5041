/** What tests and the program of {@link file://./process-agent.ts} say to each other. */

/** A call of one of the agent's methods. */
export interface Request {
  readonly method: 'describeAdapter' | 'run' | 'runGolden' | 'kernels';
  readonly parameters: readonly string[];
}

/** What it gave, or why it threw. */
export type Answer = { readonly result: unknown } | { readonly error: string };
