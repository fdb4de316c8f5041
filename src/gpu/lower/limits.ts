/** How long one invocation may run. */

/**
 * Loop iterations an invocation may count on: some drivers silently end loops after 65,535, summed over all
 * loops of the invocation.
 */
export const MAX_ITERATIONS = 60_000;
