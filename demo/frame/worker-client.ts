/** The page's end of a worker: a call is a promise, with events on the way. */
import type { FromWorker, RequestTable, ToWorker } from './worker-messages.js';

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

/** Sends calls to a worker that `serve` answers in. */
export class WorkerClient<Table extends RequestTable<Table>, Event> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending<Event>>();
  #lastId = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker<Event>>) => this.#receive(data));
    worker.addEventListener('error', (event) => {
      const reason = event.message || 'its script could not be loaded';
      this.#failAll(new Error(`the training worker failed: ${reason}`));
    });
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
    const cancel = (): void => this.#send({ id, cancel: true });
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return (await reply) as ReturnType<Table[K]>;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, { transfer });
  }

  #receive(message: FromWorker<Event>): void {
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

  #failAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
