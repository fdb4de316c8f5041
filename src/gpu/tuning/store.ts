/** Where tuning keeps what it found: in memory, in the browser's database, or wherever the caller says. */

/** Keeps short texts by key. A store that fails is treated as empty: tuning then measures again. */
export interface TuningStore {
  /** What was set last, or null. */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
}

/** A store that lasts as long as the object. */
export function memoryTuningStore(): TuningStore {
  const entries = new Map<string, string>();
  return {
    get: (key) => Promise.resolve(entries.get(key) ?? null),
    set(key, value) {
      entries.set(key, value);
      return Promise.resolve();
    },
  };
}

/**
 * A store in one text that the caller reads and writes, such as a file:
 * `textTuningStore(() => readFile(path, 'utf8').catch(() => ''), (text) => writeFile(path, text))`.
 *
 * @param read gives the text written last, or an empty one
 * @param write replaces it
 */
export function textTuningStore(
  read: () => Promise<string>,
  write: (text: string) => Promise<void>,
): TuningStore {
  const load = async (): Promise<Record<string, string>> => parseTexts(await read());
  let last: Promise<unknown> = Promise.resolve();
  return {
    get: async (key) => (await load())[key] ?? null,
    set(key, value) {
      // One after another: each writes all keys.
      const written = last.then(async () =>
        write(`${JSON.stringify({ ...(await load()), [key]: value }, null, 2)}\n`),
      );
      last = written.catch(() => undefined);
      return written;
    },
  };
}

/** The texts of a JSON object by their keys; whatever else the text holds is left out. */
export function parseTexts(text: string): Record<string, string> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof content !== 'object' || content === null) return {};
  return Object.fromEntries(
    Object.entries(content).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

const OBJECT_STORE = 'tuning';

/** A store in the browser's IndexedDB, for pages and workers of one origin. */
export function indexedDbTuningStore(name = 'webgpu-rnn'): TuningStore {
  let opened: Promise<IDBDatabase> | null = null;
  const open = (): Promise<IDBDatabase> => {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(OBJECT_STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error(`database ${name} did not open`));
    });
    // The next call may have more luck.
    opened.catch(() => (opened = null));
    return opened;
  };
  const transact = async <T>(
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> => {
    const database = await open();
    return new Promise((resolve, reject) => {
      const request = act(database.transaction(OBJECT_STORE, mode).objectStore(OBJECT_STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error(`database ${name} failed`));
    });
  };
  return {
    async get(key) {
      const value: unknown = await transact<unknown>('readonly', (store) => store.get(key));
      return typeof value === 'string' ? value : null;
    },
    async set(key, value) {
      await transact('readwrite', (store) => store.put(value, key));
    },
  };
}
