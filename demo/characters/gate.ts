/** Where a run waits while it is paused, and goes on step by step when asked. */

/** Let every step of a run pass through {@link pass}. */
export class Gate {
  #held: { readonly opened: Promise<void>; readonly open: () => void } | null = null;
  #pausing = false;

  /** Whether the next step will be held. */
  get pausing(): boolean {
    return this.#pausing;
  }

  /** Holds the run at its next step. */
  pause(): void {
    this.#pausing = true;
  }

  /** Lets the run go on. */
  resume(): void {
    this.#pausing = false;
    this.#held?.open();
  }

  /** Lets one step through. */
  step(): void {
    this.#pausing = true;
    this.#held?.open();
  }

  /**
   * Resolves when the run may go on.
   * @param onHeld called when it has to wait
   */
  async pass(signal: AbortSignal, onHeld: () => Promise<void>): Promise<void> {
    if (!this.#pausing || signal.aborted) return;
    let open!: () => void;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#held = { opened, open };
    signal.addEventListener('abort', open, { once: true });
    await onHeld();
    await opened;
    signal.removeEventListener('abort', open);
    this.#held = null;
  }
}
