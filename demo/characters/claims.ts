/** Which tab may train and keep a model: the one that holds its lock. Another one may ask for it, and then take it. */

/** What a session does when it must let go of a model. */
export interface ClaimListeners {
  /** Another tab asks for the model: resolves when this one has kept it and will not write any more. */
  readonly onAsked: (id: string) => Promise<void>;
  /** Another tab has taken it without waiting. */
  readonly onLost: (id: string) => void;
}

interface Message {
  readonly type: 'asked' | 'coming';
  readonly id: string;
}

/** A tab that was just closed or reloaded lets go within this time, in milliseconds. */
const MOMENT = 1000;
/** One that does not answer within this time is taken for hung. */
const UNANSWERED = 2000;
/** One that answers has this time to end its step and to keep the model. */
const ANSWERED = 30_000;

const lockName = (id: string): string => `webgpu-rnn model ${id}`;

/** The claims of one worker, by Web Locks: a browser frees them when the worker ends, however it ends. */
export class Claims {
  readonly #listeners: ClaimListeners;
  readonly #held = new Map<string, () => void>();
  readonly #channel = new BroadcastChannel('webgpu-rnn models');
  // Pages that are not served securely have none: there, only the owner's mark in the storage counts.
  readonly #locks = (navigator as { readonly locks?: LockManager }).locks;

  constructor(listeners: ClaimListeners) {
    this.#listeners = listeners;
    this.#channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if (data.type === 'asked' && this.#held.has(data.id)) void this.#answer(data.id);
    });
  }

  /** Claims a model; false where another tab has it. */
  async claim(id: string): Promise<boolean> {
    return this.#held.has(id) || this.#request(id, { signal: AbortSignal.timeout(MOMENT) });
  }

  /** Claims a model that another tab has: once that tab has let go, or by force where it does not answer. */
  async takeOver(id: string): Promise<void> {
    if (this.#held.has(id)) return;
    const patience = new AbortController();
    let timer = setTimeout(() => patience.abort(), UNANSWERED);
    const listen = ({ data }: MessageEvent<Message>): void => {
      if (data.type !== 'coming' || data.id !== id) return;
      clearTimeout(timer);
      timer = setTimeout(() => patience.abort(), ANSWERED);
    };
    this.#channel.addEventListener('message', listen);
    this.#send({ type: 'asked', id });
    try {
      if (await this.#request(id, { signal: patience.signal })) return;
      await this.#request(id, { steal: true });
    } finally {
      clearTimeout(timer);
      this.#channel.removeEventListener('message', listen);
    }
  }

  /** Whether another tab has claimed a model. */
  async isElsewhere(id: string): Promise<boolean> {
    if (!this.#locks || this.#held.has(id)) return false;
    const { held = [] } = await this.#locks.query();
    return held.some(({ name }) => name === lockName(id));
  }

  /** Lets go of all models but this one. */
  keepOnly(id: string | null): void {
    for (const [held, release] of this.#held) {
      if (held === id) continue;
      this.#held.delete(held);
      release();
    }
  }

  async #answer(id: string): Promise<void> {
    this.#send({ type: 'coming', id });
    try {
      await this.#listeners.onAsked(id);
    } finally {
      this.#held.get(id)?.();
      this.#held.delete(id);
    }
  }

  #send(message: Message): void {
    this.#channel.postMessage(message);
  }

  /** Resolves when the lock is held, or to false when the signal has ended the wait. */
  #request(id: string, options: LockOptions): Promise<boolean> {
    const locks = this.#locks;
    if (!locks) {
      this.#held.set(id, () => undefined);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const hold = async (): Promise<void> => {
        await new Promise<void>((release) => {
          this.#held.set(id, release);
          resolve(true);
        });
      };
      locks.request(lockName(id), options, hold).catch(() => {
        resolve(false);
        // One that was held, and is not any more, was taken.
        if (this.#held.delete(id)) this.#listeners.onLost(id);
      });
    });
  }
}
