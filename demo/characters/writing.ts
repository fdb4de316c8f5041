/** Lets a model write, and checks beforehand what the library would find out only when a sample is due. */
import { ArgumentError, type CharacterModel, type GenerateOptions } from '../../src/index.js';
import type { GenerateSettings, Score, Settings } from './protocol.js';
import type { TaskCase } from './tasks.js';

type Sampling = Pick<GenerateSettings, 'temperature' | 'topK' | 'topP'>;

/** The library's options for how to choose characters. */
export function samplingOptions({ temperature, topK, topP }: Sampling): GenerateOptions {
  return { temperature, topP, ...(topK > 0 && { topK }) };
}

/** What the model writes now, character by character to `onText`; the seed goes by the step, so that a run repeats. */
export async function writeSample(
  model: CharacterModel,
  settings: Settings,
  step: number,
  onText: (text: string) => void,
): Promise<string> {
  const { sampleLength, seed } = settings;
  let text = '';
  for await (const character of model.generate({
    ...samplingOptions(settings),
    length: sampleLength,
    seed: seed + step,
  })) {
    text += character;
    onText(character);
  }
  return text;
}

/** Lets the model answer questions, always with the likeliest character, up to the end of the line. */
export async function scoreModel(
  model: CharacterModel,
  test: readonly TaskCase[],
  step: number,
): Promise<Score> {
  const cases: Score['cases'][number][] = [];
  for (const { question, answer } of test) {
    let written = '';
    const length = answer.length + 1;
    for await (const character of model.generate({ prompt: `\n${question}`, length, temperature: 0 })) {
      if (character === '\n') break;
      written += character;
    }
    cases.push({ question, answer, written });
  }
  const right = cases.filter(({ answer, written }) => answer === written).length;
  return { step, exact: right / cases.length, cases };
}

/** @throws ArgumentError naming the setting that is out of range */
export function checkSampling(settings: Settings): void {
  const { sampleEvery, sampleLength, temperature, topK, topP } = settings;
  const check = (name: string, value: number, good: boolean, wanted: string): void => {
    if (good) return;
    throw new ArgumentError({
      culprit: 'sampling',
      problem: `${name} is ${value}`,
      remedy: `pass a ${wanted}`,
    });
  };
  const isCount = (value: number, min: number): boolean => Number.isSafeInteger(value) && value >= min;
  check('sampleEvery', sampleEvery, isCount(sampleEvery, 0), 'whole number of at least 0');
  check('sampleLength', sampleLength, isCount(sampleLength, 1), 'whole number of at least 1');
  check(
    'temperature',
    temperature,
    Number.isFinite(temperature) && temperature >= 0,
    'finite number of at least 0',
  );
  check('topK', topK, isCount(topK, 0), 'whole number of at least 0, where 0 is all');
  check('topP', topP, topP > 0 && topP <= 1, 'number greater than 0 and at most 1');
}
