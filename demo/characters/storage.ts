/** Models in the browser's storage (IndexedDB): each change is one transaction, so that one is there whole or not at all. */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import { checksumOf } from './checksum.js';
import {
  DamagedRecord,
  readContent,
  readFacts,
  type ContentRecord,
  type FactsRecord,
} from './kept-record.js';
import type { KeptFacts } from './protocol.js';
import type { TaskName } from './task-labels.js';

/** A model as it is kept. */
export type KeptModel = Omit<FactsRecord, 'owner' | 'checksum' | 'textId'> & ContentRecord;

/** A text as it is kept, once for all models that learn it. */
export interface KeptText {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly task: TaskName | null;
}

/** A model that was not as it had been written, with what is left of it. */
interface DamagedModel {
  readonly id: string;
  readonly name: string;
  readonly reason: string;
  readonly foundAt: number;
  readonly content: unknown;
}

interface Schema extends DBSchema {
  facts: { key: string; value: FactsRecord; indexes: { textId: string } };
  contents: { key: string; value: ContentRecord };
  texts: { key: string; value: KeptText };
  damaged: { key: string; value: DamagedModel };
}

const STORES = ['facts', 'contents', 'texts', 'damaged'] as const;
type Transaction<Mode extends IDBTransactionMode> = IDBPTransaction<Schema, typeof STORES, Mode>;

/** Storage that cannot be used, with what to do about it. */
export class StorageError extends Error {
  override readonly name: string = 'StorageError';
}

/** Another tab has taken the model over: what this one would write is older. */
export class TakenOverError extends StorageError {
  override readonly name = 'TakenOverError';
}

/** Errors of a storage that is being cleared; the same names may stay, so the attempts are few. */
const PASSING: readonly string[] = ['InvalidStateError', 'AbortError', 'UnknownError'];
const ATTEMPTS = 3;
/** In milliseconds. */
const MOMENT = 200;

let opening: Promise<IDBPDatabase<Schema>> | null = null;

function database(): Promise<IDBPDatabase<Schema>> {
  opening ??= openDB<Schema>('webgpu-rnn demo', 2, {
    upgrade: (changed, from, _to, transaction) => {
      changed.createObjectStore('facts', { keyPath: 'id' }).createIndex('textId', 'textId');
      for (const name of ['contents', 'damaged'] as const) changed.createObjectStore(name, { keyPath: 'id' });
      if (from === 0) changed.createObjectStore('texts', { keyPath: 'id' });
      else {
        splitModels(changed as unknown as IDBPDatabase, transaction as unknown as Upgrade).catch(() => {
          transaction.abort();
        });
      }
    },
    // Another page may want to change the layout one day.
    blocking: () => {
      void opening?.then((open) => open.close());
      opening = null;
    },
    // The person, or the browser, has cleared the storage: the next call begins it anew.
    terminated: () => (opening = null),
  });
  opening.catch(() => (opening = null));
  return opening;
}

type Upgrade = IDBPTransaction<unknown, string[], 'versionchange'>;

/** The first layout had all of a model in one record, so that listing them meant reading every weight. */
async function splitModels(changed: IDBPDatabase, transaction: Upgrade): Promise<void> {
  let cursor = await transaction.objectStore('models').openCursor();
  for (; cursor; cursor = await cursor.continue()) {
    const { settings, history, checkpoint, ...facts } = cursor.value as KeptModel;
    const checksum = checksumOf(checkpoint);
    await transaction.objectStore('facts').put({ ...facts, owner: '', checksum });
    await transaction.objectStore('contents').put({ id: facts.id, settings, history, checkpoint });
  }
  changed.deleteObjectStore('models');
}

/**
 * Keeps a model, and its text where that is not there yet, as the owner that has taken it.
 * @throws TakenOverError where another owner has taken it since, StorageError where there is no room
 */
export async function keepModel(model: KeptModel, text: KeptText, owner: string): Promise<void> {
  const { settings, history, checkpoint, ...facts } = model;
  const checksum = checksumOf(checkpoint);
  await inTransaction('readwrite', async (transaction) => {
    const [named, known] = await Promise.all([
      transaction.objectStore('facts').get(model.id),
      transaction.objectStore('texts').getKey(text.id),
    ]);
    if (named && named.owner !== owner) {
      throw new TakenOverError('another tab has taken this model over; what it keeps counts');
    }
    const name = named?.name ?? facts.name;
    await Promise.all([
      transaction.objectStore('facts').put({ ...facts, name, owner, checksum, textId: text.id }),
      transaction.objectStore('contents').put({ id: model.id, settings, history, checkpoint }),
      known === undefined && transaction.objectStore('texts').put(text),
    ]);
  });
}

/** What is kept, the newest first, and last what is damaged. */
export async function listKept(): Promise<readonly KeptFacts[]> {
  const { kept, broken, damaged } = await inTransaction('readonly', async (transaction) => {
    const [values, keys, known] = await Promise.all([
      transaction.objectStore('facts').getAll(),
      transaction.objectStore('facts').getAllKeys(),
      transaction.objectStore('damaged').getAll(),
    ]);
    const sound: KeptFacts[] = [];
    const found: { readonly id: string; readonly reason: string }[] = [];
    values.forEach((value, index) => {
      try {
        sound.push({ ...shown(readFacts(value)), damage: null });
      } catch (error) {
        if (!(error instanceof DamagedRecord)) throw error;
        found.push({ id: keys[index]!, reason: error.message });
      }
    });
    return { kept: sound, broken: found, damaged: known };
  });
  const setAsideNow = await Promise.all(broken.map(({ id, reason }) => setAside(id, reason)));
  const byTime = (a: KeptFacts, b: KeptFacts): number => b.savedAt - a.savedAt;
  return [...kept.sort(byTime), ...[...damaged, ...setAsideNow].map(shownDamage).sort(byTime)];
}

function shown(facts: FactsRecord): Omit<KeptFacts, 'damage'> {
  const { id, name, kind, textName, step, steps, loss, savedAt, bytes } = facts;
  return { id, name, kind, textName, step, steps, loss, savedAt, bytes };
}

function shownDamage({ id, name, reason, foundAt, content }: DamagedModel): KeptFacts {
  const bytes = checkpointOf(content)?.length ?? 0;
  const unknown = { kind: '', textName: '', step: 0, steps: 0, loss: null };
  return { ...unknown, id, name, savedAt: foundAt, bytes, damage: reason };
}

/**
 * A model and its text.
 * @param owner who may write it from now on; null where it is only read
 * @throws StorageError where it is not there, or damaged: then it is set aside
 */
export async function takeModel(
  id: string,
  owner: string | null,
): Promise<{ readonly model: KeptModel; readonly text: KeptText }> {
  const taken = await inTransaction(owner === null ? 'readonly' : 'readwrite', async (transaction) => {
    const value = await transaction.objectStore('facts').get(id);
    if (!value) throw new StorageError('this model is no longer there; choose another one');
    try {
      const facts = readFacts(value);
      const content = readContent(await transaction.objectStore('contents').get(id), facts);
      const text = await transaction.objectStore('texts').get(facts.textId);
      if (!isSound(text, facts.textId)) throw new DamagedRecord('the text that it learns is not whole');
      if (owner !== null) await transaction.objectStore('facts').put?.({ ...facts, owner });
      return { model: { ...shown(facts), ...content }, text };
    } catch (error) {
      if (error instanceof DamagedRecord) return { damage: error.message };
      throw error;
    }
  });
  if (taken.damage === undefined) return taken;
  const { name } = await setAside(id, taken.damage);
  throw new StorageError(
    `${name} is damaged: ${taken.damage}. It is set aside under Models, where you can download what is left of it; all other models are as they were.`,
  );
}

function isSound(text: KeptText | undefined, id: string): text is KeptText {
  return typeof text?.text === 'string' && typeof text.name === 'string' && textIdOf(text.text) === id;
}

/** Moves a damaged model to where it disturbs nobody. */
async function setAside(id: string, reason: string): Promise<DamagedModel> {
  return inTransaction('readwrite', async (transaction) => {
    const [facts, content] = await Promise.all([
      transaction.objectStore('facts').get(id) as Promise<Partial<FactsRecord> | undefined>,
      transaction.objectStore('contents').get(id),
    ]);
    const name = typeof facts?.name === 'string' && facts.name !== '' ? facts.name : 'a model';
    const damaged = { id, name, reason, foundAt: Date.now(), content };
    await Promise.all([
      transaction.objectStore('damaged').put(damaged),
      transaction.objectStore('facts').delete(id),
      transaction.objectStore('contents').delete(id),
    ]);
    return damaged;
  });
}

/** What is left of the weights of a damaged model. */
export async function takeDamaged(id: string): Promise<Uint8Array> {
  const damaged = await inTransaction('readonly', (transaction) =>
    transaction.objectStore('damaged').get(id),
  );
  const checkpoint = checkpointOf(damaged?.content);
  if (checkpoint) return checkpoint;
  throw new StorageError('nothing is left of the weights of this model; remove it');
}

function checkpointOf(content: unknown): Uint8Array | null {
  const { checkpoint } = (content ?? {}) as { readonly checkpoint?: unknown };
  return checkpoint instanceof Uint8Array ? checkpoint : null;
}

/** Gives a model another name. */
export async function renameModel(id: string, name: string): Promise<void> {
  await inTransaction('readwrite', async (transaction) => {
    const store = transaction.objectStore('facts');
    const facts = await store.get(id);
    if (facts) await store.put({ ...facts, name });
  });
}

/** Removes a model, and its text where no other model learns it. */
export async function removeModel(id: string): Promise<void> {
  await inTransaction('readwrite', async (transaction) => {
    const facts = transaction.objectStore('facts');
    const textId = (await facts.get(id))?.textId;
    await facts.delete(id);
    await transaction.objectStore('contents').delete(id);
    await transaction.objectStore('damaged').delete(id);
    if (textId !== undefined && (await facts.index('textId').count(textId)) === 0) {
      await transaction.objectStore('texts').delete(textId);
    }
  });
}

/** A short name for a text, the same for the same text: FNV-1a over its code units, and its length. */
export function textIdOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return `${text.length}-${(hash >>> 0).toString(16)}`;
}

/**
 * Runs one transaction over all that is kept, to its end: when this resolves, what it wrote is on the disk; when
 * it rejects, nothing of it is.
 */
async function inTransaction<Mode extends 'readonly' | 'readwrite', R>(
  mode: Mode,
  work: (transaction: Transaction<Mode>) => Promise<R>,
): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    let transaction: Transaction<Mode> | null = null;
    try {
      transaction = (await database()).transaction(STORES, mode, { durability: 'strict' });
      // Where the work fails, that is told; this would be told a second time.
      transaction.done.catch(() => undefined);
      const result = await work(transaction);
      await transaction.done;
      return result;
    } catch (error) {
      const cause = transaction?.error ?? error;
      abort(transaction);
      if (cause instanceof StorageError) throw cause;
      const name = cause instanceof DOMException ? cause.name : '';
      // The storage is being cleared, and what was open is closed: it is opened anew, and again a moment later.
      if (attempt < ATTEMPTS && PASSING.includes(name)) {
        opening = null;
        await new Promise((resolve) => setTimeout(resolve, (attempt - 1) * MOMENT));
        continue;
      }
      throw new StorageError(explain(name), { cause });
    }
  }
}

function abort(transaction: Transaction<IDBTransactionMode> | null): void {
  try {
    transaction?.abort();
  } catch {
    // It has ended already.
  }
}

/** Says what the browser's own errors mean here. */
function explain(name: string): string {
  return name === 'QuotaExceededError'
    ? 'The browser’s storage for this page is full. What was kept before is still there'
    : 'The browser lets this page keep nothing (a private window, perhaps)';
}
