/** Parameter groups: parts of a model, found by name, with a learning rate and a weight decay of their own. */
import { ArgumentError } from '../graph/errors.js';
import { checkNumber, checkOptions } from '../graph/options.js';

/** Which parameters: one name, a list of names, an expression that finds something in the name, or a function. */
export type ParameterMatch = string | readonly string[] | RegExp | ((name: string) => boolean);

/** Parameters that an optimizer treats in their own way. What is not given is as for all others. */
export interface ParameterGroup {
  readonly match: ParameterMatch;
  /** What the optimizer's learning rate is multiplied with; 0 keeps the parameters as they are. Default 1. */
  readonly learningRateFactor?: number;
  /** Instead of the optimizer's own. */
  readonly weightDecay?: number;
}

/** A test of names. @throws ArgumentError when it is no match at all */
export function nameMatcher(culprit: string, match: unknown): (name: string) => boolean {
  if (typeof match === 'string') return (name) => name === match;
  // `search` begins at the front whatever the expression's `lastIndex`.
  if (match instanceof RegExp) return (name) => name.search(match) >= 0;
  if (typeof match === 'function') return (name) => (match as (name: string) => unknown)(name) === true;
  if (Array.isArray(match) && match.every((name) => typeof name === 'string')) {
    return (name) => (match as readonly string[]).includes(name);
  }
  throw new ArgumentError({
    culprit,
    problem: `match is ${match === null ? 'null' : typeof match}`,
    remedy: 'pass a name, a list of names, a regular expression or a function of the name',
  });
}

/** Throws ArgumentError unless all options of the groups are in range. */
export function checkGroups(culprit: string, groups: unknown): asserts groups is readonly ParameterGroup[] {
  if (!Array.isArray(groups)) {
    throw new ArgumentError({ culprit, problem: 'groups is not a list', remedy: 'pass [{ match, … }, …]' });
  }
  (groups as readonly ParameterGroup[]).forEach((group, i) => {
    const which = `${culprit}, group ${i}`;
    checkOptions(which, group, ['match', 'learningRateFactor', 'weightDecay']);
    nameMatcher(which, group.match);
    const { learningRateFactor = 1, weightDecay = 0 } = group;
    checkNumber(which, 'learningRateFactor', learningRateFactor, { min: 0 });
    checkNumber(which, 'weightDecay', weightDecay, { min: 0 });
  });
}

/**
 * The first group that matches each parameter, −1 where none does.
 * @param names all names of each parameter: a shared one has several, and one that matches is enough
 * @throws ArgumentError for a group that is the first of no parameter: most likely a mistyped name
 */
export function assignGroups(
  culprit: string,
  groups: readonly ParameterGroup[],
  names: readonly (readonly string[])[],
): number[] {
  const matchers = groups.map(({ match }, i) => nameMatcher(`${culprit}, group ${i}`, match));
  const assigned = names.map((all) => matchers.findIndex((matches) => all.some(matches)));
  groups.forEach(({ match }, i) => {
    if (assigned.includes(i)) return;
    throw new ArgumentError({
      culprit: `${culprit}, group ${i}`,
      problem: `${typeof match === 'function' ? 'its function' : String(match)} matches no parameter that is left`,
      remedy: `the parameters are ${names.map((all) => all.join(' = ')).join(', ')}`,
    });
  });
  return assigned;
}
