/** A model as it is kept, and a strict reading of what the browser's storage gives back: damage is told, not shown. */
import { checksumOf } from './checksum.js';
import { CONTROL_GROUPS } from './controls.js';
import { DEFAULT_SETTINGS, type History, type KeptFacts, type Settings } from './protocol.js';

/** What the list of models shows, and what belongs to it. */
export interface FactsRecord extends Omit<KeptFacts, 'damage'> {
  /** Which text it learns. */
  readonly textId: string;
  /** The session that may write it. */
  readonly owner: string;
  /** Of the checkpoint. */
  readonly checksum: number;
}

/** What is needed to go on. */
export interface ContentRecord {
  readonly id: string;
  readonly settings: Settings;
  readonly history: History;
  /** What `CharacterModel.checkpoint` gave. */
  readonly checkpoint: Uint8Array;
}

/** A record that is not as it was written. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isFinite: Check = (value) => Number.isFinite(value);
const isNumber: Check = (value) => typeof value === 'number';

const FACTS: Readonly<Record<keyof FactsRecord, Check>> = {
  id: isText,
  name: isText,
  kind: isText,
  textName: isText,
  step: isCount,
  steps: isCount,
  loss: (value) => value === null || isFinite(value),
  savedAt: isFinite,
  bytes: isCount,
  textId: isText,
  owner: (value) => typeof value === 'string',
  checksum: isCount,
};

/** @throws DamagedRecord naming what is wrong */
export function readFacts(value: unknown): FactsRecord {
  return checked(value, FACTS, 'its entry') as unknown as FactsRecord;
}

/** @throws DamagedRecord naming what is wrong, where it is not what its facts say */
export function readContent(value: unknown, { id, bytes, checksum }: FactsRecord): ContentRecord {
  const content = checked(
    value,
    { id: (found) => found === id, checkpoint: (found) => found instanceof Uint8Array },
    'its content',
  );
  const checkpoint = content['checkpoint'] as Uint8Array;
  if (checkpoint.length !== bytes) {
    throw new DamagedRecord(`its weights have ${checkpoint.length} bytes instead of ${bytes}`);
  }
  if (checksumOf(checkpoint) !== checksum) throw new DamagedRecord('its weights do not match their checksum');
  return {
    id,
    checkpoint,
    settings: readSettings(content['settings']),
    history: readHistory(content['history']),
  };
}

function readSettings(value: unknown): Settings {
  const controls = CONTROL_GROUPS.flatMap((group) => group.controls);
  const checks = Object.keys(DEFAULT_SETTINGS).map((name): [string, Check] => {
    const choices = controls.find((control) => control.name === name)?.choices;
    return [name, choices ? (chosen) => choices.some(([choice]) => choice === chosen) : isFinite];
  });
  return checked(value, Object.fromEntries(checks), 'its settings') as unknown as Settings;
}

function readHistory(value: unknown): History {
  const isList = (isItem: Check): Check => {
    return (list) => Array.isArray(list) && list.every((item) => isItem(item));
  };
  const isRecord = (checks: Readonly<Record<string, Check>>): Check => {
    return (found) => isFields(found) && Object.entries(checks).every(([name, check]) => check(found[name]));
  };
  const isString: Check = (text) => typeof text === 'string';
  const isCase = isRecord({ question: isString, answer: isString, written: isString });
  const columns = ['steps', 'losses', 'gradientNorms', 'learningRates', 'seconds'];
  const history = checked(
    value,
    {
      ...Object.fromEntries(
        columns.map((name) => [name, isList(name === 'gradientNorms' ? isNumber : isFinite)]),
      ),
      validation: isList(isRecord({ step: isCount, loss: isNumber, seconds: isFinite })),
      samples: isList(isRecord({ step: isCount, text: isString })),
      scores: isList(isRecord({ step: isCount, exact: isFinite, cases: isList(isCase) })),
    },
    'its history',
  ) as unknown as History;
  const { steps, losses, gradientNorms, learningRates, seconds } = history;
  if ([losses, gradientNorms, learningRates, seconds].some(({ length }) => length !== steps.length)) {
    throw new DamagedRecord('its history has columns of unequal length');
  }
  return history;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function checked(value: unknown, checks: Readonly<Record<string, Check>>, what: string): Fields {
  if (!isFields(value)) throw new DamagedRecord(`${what} is missing`);
  const wrong = Object.entries(checks).find(([name, check]) => !check(value[name]));
  if (wrong) throw new DamagedRecord(`${what} has no proper ${wrong[0]}`);
  return value;
}
