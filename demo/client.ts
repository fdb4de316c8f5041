/** The page's end of the worker: a request is a promise, with events on the way. */
import type { FromWorker, Replies, Request, ToWorker, WorkerEvent } from './protocol.js';

/** Options of {@link WorkerClient.call}. */
export interface CallOptions {
  readonly onEvent?: (event: WorkerEvent) => void;
  /** Asks the worker to stop; the call still resolves or rejects as the worker decides. */
  readonly signal?: AbortSignal;
  readonly transfer?: Transferable[];
}

interface Pending {
  readonly resolve: (reply: Replies[keyof Replies]) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: ((event: WorkerEvent) => void) | undefined;
}

/** Sends requests to the training worker. */
export class WorkerClient {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    this.#worker.addEventListener('error', (event) => {
      const reason = event.message || 'its script could not be loaded';
      this.#failAll(new Error(`the training worker failed: ${reason}`));
    });
  }

  /** Asks one thing of the worker. An error there rejects here, under its own name. */
  call<K extends Request['type']>(
    request: Extract<Request, { type: K }>,
    { onEvent, signal, transfer = [] }: CallOptions = {},
  ): Promise<Replies[K]> {
    const id = ++this.#lastId;
    const reply = new Promise<Replies[keyof Replies]>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
    });
    this.#send({ id, request }, transfer);
    const cancel = (): void => this.#send({ id, cancel: true });
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    return reply.finally(() => signal?.removeEventListener('abort', cancel)) as Promise<Replies[K]>;
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, { transfer });
  }

  #receive(message: FromWorker): void {
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
