/** How the inputs of a target are damaged. */
import { mutateBytes, mutateFile, mutateJson, mutateText, type Random } from './mutate.js';
import type { Input, Target } from './trial.js';

/** A damaged input; `other`, of the same target, is where some of what is put in comes from. */
export function damage({ form }: Target, input: Input, other: Input, random: Random): Input {
  if (typeof input === 'string') return (form === 'json' ? mutateJson : mutateText)(input, random);
  return (form === 'file' ? mutateFile : mutateBytes)(input, random, other as Uint8Array);
}
