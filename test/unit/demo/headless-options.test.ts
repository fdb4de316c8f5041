/** The headless command's options: names that every object has are no options. */
import { expect, it } from 'vitest';
import { parseCommand, UsageError } from '../../../demo/headless/options.js';

it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('there is no option --%s', (name) => {
  expect(() => parseCommand(['--text', 'a.txt', `--${name}`, 'x'])).toThrow(UsageError);
  expect(() => parseCommand(['--text', 'a.txt', `--${name}=x`])).toThrow(`no option --${name}`);
});
