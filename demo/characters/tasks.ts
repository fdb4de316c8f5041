/** Synthetic tasks: texts made on the spot, a question and its answer a line, with cases kept aside for a test. */
import { Random } from '../../src/index.js';
import type { TaskName } from './task-labels.js';

/** A question and the answer to it. */
export interface TaskCase {
  readonly question: string;
  readonly answer: string;
}

const whole = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

const letters = (random: Random, count: number): string =>
  Array.from({ length: count }, () => 'abcdefgh'[whole(random, 0, 7)]!).join('');

/** Draw a case each; the question ends in a sign that asks for the answer. */
const DRAW: Readonly<Record<TaskName, (random: Random) => TaskCase>> = {
  copy: (random) => {
    const word = letters(random, whole(random, 3, 7));
    return { question: `${word}=`, answer: word };
  },
  reverse: (random) => {
    const word = letters(random, whole(random, 3, 6));
    return { question: `${word}<`, answer: Array.from(word).reverse().join('') };
  },
  sort: (random) => {
    const word = letters(random, whole(random, 3, 6));
    return { question: `${word}:`, answer: Array.from(word).sort().join('') };
  },
  add: (random) => {
    const [a, b] = [whole(random, 0, 999), whole(random, 0, 999)];
    const backwards = (n: number): string => Array.from(String(n)).reverse().join('');
    return { question: `${backwards(a)}+${backwards(b)}=`, answer: backwards(a + b) };
  },
  brackets: (random) => {
    const open: string[] = [];
    let question = '';
    const length = whole(random, 6, 14);
    for (let i = 0; i < length; i++) {
      if (open.length > 0 && (open.length >= 6 || random.uniform() < 0.45)) question += open.pop()!;
      else {
        const kind = whole(random, 0, 2);
        question += '([{'[kind]!;
        open.push(')]}'[kind]!);
      }
    }
    return { question: `${question}|`, answer: open.reverse().join('') };
  },
};

/** Lines to learn from, and cases that are not among them. */
export interface TaskData {
  readonly text: string;
  readonly test: readonly TaskCase[];
}

const LINES = 8000;
const TEST_CASES = 20;

/** Draws the data of a task; the same seed gives the same. */
export function drawTask(task: TaskName, seed = 1): TaskData {
  const random = new Random(seed);
  const draw = DRAW[task];
  const test = new Map<string, TaskCase>();
  while (test.size < TEST_CASES) {
    const drawn = draw(random);
    test.set(drawn.question, drawn);
  }
  const lines: string[] = [];
  while (lines.length < LINES) {
    const { question, answer } = draw(random);
    if (!test.has(question)) lines.push(question + answer);
  }
  return { text: `\n${lines.join('\n')}\n`, test: [...test.values()] };
}
