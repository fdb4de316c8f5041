/** The file of a character model: its settings as JSON in the metadata of a safetensors file, strictly checked. */
import { ArgumentError, FormatError, TextError } from '../graph/errors.js';
import { parseJson, type JsonObject, type JsonValue } from '../io/json.js';
import { parseSafetensors, writeSafetensors } from '../io/safetensors.js';
import type { StateMap } from '../nn/module.js';
import type { CharacterNetworkOptions } from './character-network.js';
import { CharacterTokenizer } from './tokenizer.js';

/** Everything about a network but its vocabulary and its weights. */
export type CharacterConfig = Required<Omit<CharacterNetworkOptions, 'vocabSize' | 'seed'>>;

/** What a file holds. */
export interface CharacterFile {
  readonly config: CharacterConfig;
  readonly tokenizer: CharacterTokenizer;
  readonly state: StateMap;
}

const FORMAT = 'webgpu-rnn-character-model-1';
const CULPRIT = 'character model file';
const REMEDY = 'load a file that CharacterModel.save() wrote';

/** The file as bytes. PyTorch's `load_state_dict` takes its tensors as they are named. */
export function writeCharacterFile({ config, tokenizer, state }: CharacterFile): Uint8Array {
  return writeSafetensors(
    state,
    new Map([
      ['format', FORMAT],
      ['config', writeConfig(config, tokenizer)],
    ]),
  );
}

/** Settings and vocabulary as JSON. */
export function writeConfig(config: CharacterConfig, tokenizer: CharacterTokenizer): string {
  return JSON.stringify({ ...config, characters: tokenizer.characters.join('') });
}

/**
 * Reads a file. Sizes are held against the tensors that are there before anything is built from them.
 * @throws FormatError naming the field at fault
 */
export function readCharacterFile(bytes: Uint8Array | ArrayBuffer): CharacterFile {
  const { tensors, metadata } = parseSafetensors(bytes);
  const format = metadata.get('format');
  if (format !== FORMAT) {
    const problem = format === undefined ? 'is missing' : `is "${format}", not "${FORMAT}"`;
    throw new FormatError({ culprit: `${CULPRIT}, format`, problem, remedy: REMEDY });
  }
  return { ...readConfig(metadata.get('config') ?? 'null', tensors.size), state: tensors };
}

/**
 * Reads what {@link writeConfig} wrote.
 * @param tensorCount how many tensors there are, which tells whether the number of layers can be true
 * @throws FormatError naming the field at fault
 */
export function readConfig(
  text: string,
  tensorCount: number,
): { readonly config: CharacterConfig; readonly tokenizer: CharacterTokenizer } {
  const json = parseJson(text, `${CULPRIT}, config`);
  if (!(json instanceof Map)) fail('config', 'is not an object');
  const fields = json as JsonObject;
  const known = ['cell', 'nonlinearity', 'embeddingSize', 'hiddenSize', 'numLayers', 'dropout', 'characters'];
  for (const key of fields.keys()) if (!known.includes(key)) fail(key, 'is no known setting');
  const config: CharacterConfig = {
    cell: choice('cell', fields.get('cell'), ['lstm', 'gru', 'rnn']),
    nonlinearity: choice('nonlinearity', fields.get('nonlinearity'), ['tanh', 'relu']),
    embeddingSize: size('embeddingSize', fields.get('embeddingSize')),
    hiddenSize: size('hiddenSize', fields.get('hiddenSize')),
    numLayers: size('numLayers', fields.get('numLayers')),
    dropout: probability(fields.get('dropout')),
  };
  const wanted = 3 + 4 * config.numLayers;
  if (tensorCount !== wanted) {
    fail('numLayers', `is ${config.numLayers}, which makes ${wanted} tensors; the file has ${tensorCount}`);
  }
  return { config, tokenizer: readVocabulary(fields.get('characters')) };
}

/** Runs `load`, telling mistakes of the file from mistakes of the caller. */
export function blamingFile(load: () => void): void {
  try {
    load();
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new FormatError({ culprit: CULPRIT, problem: error.message, remedy: REMEDY, cause: error });
  }
}

function readVocabulary(value: JsonValue | undefined): CharacterTokenizer {
  if (typeof value !== 'string') return fail('characters', 'is not a string');
  try {
    return CharacterTokenizer.fromCharacters(value);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    throw new FormatError({
      culprit: `${CULPRIT}, characters`,
      problem: error.message,
      remedy: REMEDY,
      cause: error,
    });
  }
}

function choice<C extends string>(name: string, value: JsonValue | undefined, choices: readonly C[]): C {
  const found = choices.find((option) => option === value);
  return found ?? fail(name, `is ${show(value)}, not one of ${choices.join(', ')}`);
}

function size(name: string, value: JsonValue | undefined): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  return fail(name, `is ${show(value)}, not a whole number of at least 1`);
}

function probability(value: JsonValue | undefined): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  return fail('dropout', `is ${show(value)}, not a number from 0 to below 1`);
}

function show(value: JsonValue | undefined): string {
  return typeof value === 'number' || typeof value === 'string'
    ? JSON.stringify(value)
    : 'missing or no text';
}

function fail(field: string, problem: string): never {
  throw new FormatError({ culprit: `${CULPRIT}, ${field}`, problem, remedy: REMEDY });
}
