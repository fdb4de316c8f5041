/** The worker's end: answers calls, one handler a name, each with a signal that the page may raise. */
import type { FromWorker, RequestTable, ToWorker } from './worker-messages.js';

/** What a handler is given besides the request. */
export interface CallContext<Event> {
  readonly emit: (event: Event) => void;
  readonly signal: AbortSignal;
}

/** One function a call of the table. */
export type Handlers<Table extends RequestTable<Table>, Event> = {
  readonly [K in keyof Table]: (
    request: Parameters<Table[K]>[0],
    context: CallContext<Event>,
  ) => ReturnType<Table[K]> | Promise<ReturnType<Table[K]>>;
};

/**
 * Answers the calls of a page from now on.
 * @param kindOf sees each error before the page is told, and names its kind: a minified class does not know its name
 */
export function serve<Table extends RequestTable<Table>, Event>(
  handlers: Handlers<Table, Event>,
  kindOf: (error: unknown) => string = () => 'Error',
): void {
  const running = new Map<number, AbortController>();
  const send = (message: FromWorker<Event>, transfer: Transferable[] = []): void =>
    postMessage(message, { transfer });

  const answer = async (id: number, name: string, request: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const handler = handlers[name as keyof Table] as (
        request: unknown,
        context: CallContext<Event>,
      ) => unknown;
      const emit = (event: Event): void => send({ id, event });
      const reply = await handler(request, { emit, signal: controller.signal });
      send({ id, reply }, reply instanceof ArrayBuffer ? [reply] : []);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      send({ id, error: { name: kindOf(error), message } });
    } finally {
      running.delete(id);
    }
  };

  addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
    if ('cancel' in data) running.get(data.id)?.abort();
    else void answer(data.id, data.name, data.request);
  });
  showLife((alive) => send({ alive }));
}

/** A worker that the browser ends says nothing any more; but its lock becomes free, and the page sees that. */
function showLife(tell: (alive: string) => void): void {
  const { locks } = navigator as { readonly locks?: LockManager };
  const alive = `worker ${Math.random().toString(36).slice(2)}`;
  void locks?.request(alive, () => {
    tell(alive);
    return new Promise<never>(() => undefined);
  });
}
