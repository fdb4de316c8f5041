/** The page's end of a worker: a call is a promise, with events on the way. */
import { WORKER_LOST, type FromWorker, type RequestTable, type ToWorker } from './worker-messages.js';

/** Options of {@link WorkerClient.call}. */
export interface CallOptions<Event> {
  readonly onEvent?: (event: Event) => void;
  /** Asks the worker to stop; the call still resolves or rejects as the worker decides. */
  readonly signal?: AbortSignal;
  readonly transfer?: Transferable[];
}

interface Pending<Event> {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: ((event: Event) => void) | undefined;
}

/** Sends calls to a worker that `serve` answers in. Where the worker has ended, the next call starts another one. */
export class WorkerClient<Table extends RequestTable<Table>, Event> {
  readonly #start: () => Worker;
  readonly #pending = new Map<number, Pending<Event>>();
  #worker: Worker | null = null;
  #lastId = 0;

  /** @param start makes the worker */
  constructor(start: () => Worker) {
    this.#start = start;
  }

  #running(): Worker {
    if (this.#worker) return this.#worker;
    const worker = this.#start();
    this.#worker = worker;
    let began = false;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker<Event>>) => {
      began = true;
      if ('alive' in data)
        void navigator.locks.request(data.alive, () => this.#lose(worker, 'was ended by the browser'));
      else this.#receive(data);
    });
    worker.addEventListener('error', (event) => {
      // One that has begun answers its calls all the same.
      if (!began) this.#lose(worker, `failed: ${event.message || 'its script could not be loaded'}`);
    });
    return worker;
  }

  /** Asks one thing of the worker. An error there rejects here, under its own name. */
  async call<K extends keyof Table & string>(
    name: K,
    request: Parameters<Table[K]>[0],
    { onEvent, signal, transfer = [] }: CallOptions<Event> = {},
  ): Promise<ReturnType<Table[K]>> {
    const id = ++this.#lastId;
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
    });
    this.#send({ id, name, request }, transfer);
    const cancel = (): void => {
      if (this.#pending.has(id)) this.#send({ id, cancel: true });
    };
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return (await reply) as ReturnType<Table[K]>;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#running().postMessage(message, { transfer });
  }

  #receive(message: Exclude<FromWorker<Event>, { alive: string }>): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ('event' in message) {
      pending.onEvent?.(message.event);
      return;
    }
    this.#pending.delete(message.id);
    if ('reply' in message) {
      pending.resolve(message.reply);
      return;
    }
    const error = new Error(message.error.message);
    error.name = message.error.name;
    pending.reject(error);
  }

  /** Every call that was waiting fails, under a name that says why. */
  #lose(worker: Worker, how: string): void {
    if (this.#worker !== worker) return;
    worker.terminate();
    this.#worker = null;
    const error = new Error(`the worker that computes ${how}`);
    error.name = WORKER_LOST;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
