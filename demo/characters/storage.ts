/** Models in the browser's storage (IndexedDB): each change is one transaction, so that one is there whole or not at all. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { History, KeptFacts, Settings } from './protocol.js';
import type { TaskName } from './task-labels.js';

/** A model as it is kept. */
export interface KeptModel extends KeptFacts {
  readonly settings: Settings;
  readonly history: History;
  /** What `CharacterModel.checkpoint` gave. */
  readonly checkpoint: Uint8Array;
  /** Which text it learns. */
  readonly textId: string;
}

/** A text as it is kept, once for all models that learn it. */
export interface KeptText {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly task: TaskName | null;
}

interface Schema extends DBSchema {
  models: { key: string; value: KeptModel; indexes: { textId: string } };
  texts: { key: string; value: KeptText };
}

/** Storage that cannot be used, with what to do about it. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

let opening: Promise<IDBPDatabase<Schema>> | null = null;

function database(): Promise<IDBPDatabase<Schema>> {
  opening ??= openDB<Schema>('webgpu-rnn demo', 1, {
    upgrade: (created) => {
      created.createObjectStore('models', { keyPath: 'id' }).createIndex('textId', 'textId');
      created.createObjectStore('texts', { keyPath: 'id' });
    },
    // Another page may want to change the layout one day.
    blocking: () => {
      void opening?.then((open) => open.close());
      opening = null;
    },
    terminated: () => (opening = null),
  });
  opening.catch(() => (opening = null));
  return opening;
}

/** Keeps a model, and its text where that is not there yet. */
export async function keepModel(model: KeptModel, text: KeptText): Promise<void> {
  await explaining(async () => {
    const transaction = (await database()).transaction(['models', 'texts'], 'readwrite');
    const models = transaction.objectStore('models');
    const texts = transaction.objectStore('texts');
    const known = await texts.getKey(text.id);
    const named = await models.get(model.id);
    await Promise.all([
      models.put(named ? { ...model, name: named.name } : model),
      known === undefined ? texts.put(text) : undefined,
      transaction.done,
    ]);
  });
}

/** What is kept, the newest first. */
export async function listKept(): Promise<readonly KeptFacts[]> {
  return explaining(async () => {
    const facts: KeptFacts[] = [];
    let cursor = await (await database()).transaction('models').store.openCursor();
    for (; cursor; cursor = await cursor.continue()) {
      const { id, name, kind, textName, step, steps, loss, savedAt, bytes } = cursor.value;
      facts.push({ id, name, kind, textName, step, steps, loss, savedAt, bytes });
    }
    return facts.sort((a, b) => b.savedAt - a.savedAt);
  });
}

/** A model and its text. */
export async function takeModel(id: string): Promise<{ readonly model: KeptModel; readonly text: KeptText }> {
  return explaining(async () => {
    const transaction = (await database()).transaction(['models', 'texts']);
    const model = await transaction.objectStore('models').get(id);
    const text = model && (await transaction.objectStore('texts').get(model.textId));
    if (!model || !text) throw new StorageError('this model is no longer there; choose another one');
    return { model, text };
  });
}

/** Gives a model another name. */
export async function renameModel(id: string, name: string): Promise<void> {
  await explaining(async () => {
    const transaction = (await database()).transaction('models', 'readwrite');
    const model = await transaction.store.get(id);
    await Promise.all([model && transaction.store.put({ ...model, name }), transaction.done]);
  });
}

/** Removes a model, and its text where no other model learns it. */
export async function removeModel(id: string): Promise<void> {
  await explaining(async () => {
    const transaction = (await database()).transaction(['models', 'texts'], 'readwrite');
    const models = transaction.objectStore('models');
    const textId = (await models.get(id))?.textId;
    await models.delete(id);
    if (textId !== undefined && (await models.index('textId').count(textId)) === 0) {
      await transaction.objectStore('texts').delete(textId);
    }
    await transaction.done;
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

/** Says what the browser's own errors mean here. */
async function explaining<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    const name = cause instanceof DOMException ? cause.name : '';
    const message =
      name === 'QuotaExceededError'
        ? 'The browser’s storage for this page is full: remove a model below, or download it and remove it'
        : 'The browser lets this page keep nothing (a private window, perhaps): download the model before you leave';
    throw new StorageError(message, { cause });
  }
}
