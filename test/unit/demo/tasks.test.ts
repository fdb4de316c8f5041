/** The synthetic tasks: answers are right, and the test's questions are not among those to learn from. */
import { expect, it } from 'vitest';
import { TASK_LABELS, type TaskName } from '../../../demo/characters/task-labels.js';
import { drawTask } from '../../../demo/characters/tasks.js';

const ANSWERS: Readonly<Record<TaskName, (question: string) => string>> = {
  copy: (question) => question,
  reverse: (question) => Array.from(question).reverse().join(''),
  sort: (question) => Array.from(question).sort().join(''),
  add: (question) => {
    const [a, b] = question.split('+').map((digits) => Number(Array.from(digits).reverse().join('')));
    return Array.from(String(a! + b!))
      .reverse()
      .join('');
  },
  brackets: (question) => {
    let rest = question;
    for (let before = ''; before !== rest;) {
      before = rest;
      rest = rest.replaceAll('()', '').replaceAll('[]', '').replaceAll('{}', '');
    }
    const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
    return Array.from(rest)
      .reverse()
      .map((open) => closing[open])
      .join('');
  },
};

it.each(Object.keys(TASK_LABELS) as TaskName[])('%s', (task) => {
  const { text, test } = drawTask(task, 3);
  const lines = text.trim().split('\n');
  expect(lines.length).toBe(8000);
  expect(test).toHaveLength(20);
  for (const { question, answer } of test) {
    expect(answer).toBe(ANSWERS[task](question.slice(0, -1)));
    expect(lines.some((line) => line.startsWith(question))).toBe(false);
  }
  const asked = test[0]!.question.at(-1)!;
  for (const line of lines.slice(0, 200)) {
    const [question, answer] = line.split(asked);
    expect(answer).toBe(ANSWERS[task](question!));
  }
  expect(drawTask(task, 3)).toEqual({ text, test });
});
