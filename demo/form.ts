/** The page's controls: found by their ids, read into settings and filled from them. */
import type { GenerateSettings, Settings } from './protocol.js';

/** The element with this id, of this class; the page and its script belong together, so it must be there. */
export function element<E extends HTMLElement>(id: string, type: abstract new () => E): E {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} "${id}"`);
}

const input = (id: string): HTMLInputElement => element(id, HTMLInputElement);

const NUMBERS = [
  'hiddenSize',
  'numLayers',
  'embeddingSize',
  'batchSize',
  'sequenceLength',
  'steps',
  'learningRate',
  'clipNorm',
  'seed',
  'validationFraction',
  'validateEvery',
  'sampleEvery',
  'sampleLength',
  'temperature',
] as const satisfies readonly (keyof Settings)[];

const CHOICES = ['cell', 'backend'] as const satisfies readonly (keyof Settings)[];

/** What the form says now. An empty field is NaN, which the library refuses by name. */
export function readSettings(): Settings {
  const numbers = NUMBERS.map((name) => [name, input(name).valueAsNumber]);
  const choices = CHOICES.map((name) => [name, element(name, HTMLSelectElement).value]);
  return Object.fromEntries([...numbers, ...choices]) as Settings;
}

/** Fills the form. */
export function fillSettings(settings: Settings): void {
  for (const name of NUMBERS) input(name).value = String(settings[name]);
  for (const name of CHOICES) element(name, HTMLSelectElement).value = settings[name];
}

/** How the next text is to be written. */
export function readGenerateSettings(): GenerateSettings {
  return {
    prompt: element('prompt', HTMLTextAreaElement).value,
    length: input('generate-length').valueAsNumber,
    temperature: input('generate-temperature').valueAsNumber,
    seed: input('generate-seed').valueAsNumber,
  };
}
