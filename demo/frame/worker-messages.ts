/** How a page and its worker talk: calls with an id, answered by events and then one reply or error. */

/** A table of calls, as an interface of functions from request to reply. */
export type RequestTable<Table> = { readonly [K in keyof Table]: (request: never) => unknown };

/** The name of errors after which the device is gone. */
export const DEVICE_ERROR = 'DeviceError';

/** The name of errors after which a model is worth nothing. */
export const DIVERGED = 'DivergedError';

/** The name of errors after which the worker is gone, with all that it held. */
export const WORKER_LOST = 'WorkerLostError';

/** A message to a worker. */
export type ToWorker =
  | { readonly id: number; readonly name: string; readonly request: unknown }
  | { readonly id: number; readonly cancel: true };

/** A message from a worker. */
export type FromWorker<Event> =
  /** The name of a lock that the worker holds as long as it lives. */
  | { readonly alive: string }
  | { readonly id: number; readonly event: Event }
  | { readonly id: number; readonly reply: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };
