/** A short training run as users have it: a character model learns by heart, as on the reference, and writes. */
import type { Executor } from '../../../src/graph/executor.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';

const TEXT = 'abcd'.repeat(40);

async function learn(executor: Executor, cell: 'lstm' | 'gru') {
  const model = CharacterModel.create({
    executor,
    text: TEXT,
    cell,
    embeddingSize: 4,
    hiddenSize: 12,
    seed: 1,
  });
  const { losses } = await model.fit(TEXT, {
    steps: 30,
    batchSize: 4,
    sequenceLength: 6,
    learningRate: 0.03,
  });
  let written = '';
  for await (const character of model.generate({ prompt: 'a', length: 7, temperature: 0 }))
    written += character;
  model.dispose();
  return { losses, written };
}

export const cases: readonly GpuCase[] = (['lstm', 'gru'] as const).map((cell) => ({
  name: `${cell}: thirty steps, and what it writes then`,
  async run({ executor, reference }) {
    const cpu = reference();
    const [actual, expected] = [await learn(executor, cell), await learn(cpu, cell)];
    cpu.dispose();
    expectClose(actual.losses, expected.losses, TOLERANCES.trainingLoss, 'losses');
    const last = actual.losses.at(-1)!;
    if (!(last < 0.2)) throw new Error(`the last loss is ${last}, after ${actual.losses[0]!}`);
    if (actual.written !== 'bcdabcd') throw new Error(`it wrote ${actual.written}`);
  },
}));
