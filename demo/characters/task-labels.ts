/** The synthetic tasks by name, for the page, which computes nothing itself. */

/** What a task is called, and what it asks. */
export interface TaskLabel {
  readonly name: string;
  readonly about: string;
}

export const TASK_LABELS = {
  copy: {
    name: 'Copy memory',
    about: 'Say again what was said. Hochreiter & Schmidhuber 1997.',
  },
  reverse: {
    name: 'Reversal',
    about: 'Say it backwards. Sutskever et al. 2014.',
  },
  sort: {
    name: 'Sorting',
    about: 'Put the letters in order. Graves et al. 2014.',
  },
  add: {
    name: 'Addition',
    about: 'Add two numbers, written with the last digit first. Zaremba & Sutskever 2014.',
  },
  brackets: {
    name: 'Balanced brackets',
    about: 'Close what is open, in the right order. Karpathy et al. 2015.',
  },
} as const satisfies Readonly<Record<string, TaskLabel>>;

/** A task by name. */
export type TaskName = keyof typeof TASK_LABELS;
