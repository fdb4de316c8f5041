/** Lets the model write from a prompt of the person's own. */
import { box, button, element, input } from '../frame/dom.js';
import type { WorkerClient } from '../frame/worker-client.js';
import type { CharacterCalls, GenerateSettings, WorkerEvent } from './protocol.js';

/** The panel. */
export class WritePanel {
  readonly #client: WorkerClient<CharacterCalls, WorkerEvent>;
  readonly #output = element('output', HTMLPreElement);
  #controller: AbortController | null = null;
  #ready = false;

  /** @param attempt runs what was asked for and shows what went wrong */
  constructor(
    client: WorkerClient<CharacterCalls, WorkerEvent>,
    attempt: (work: () => Promise<void>) => Promise<void>,
  ) {
    this.#client = client;
    element('generate', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      if (!button('write').disabled) void attempt(() => this.#write());
    });
    button('stop-writing').addEventListener('click', () => this.#controller?.abort());
  }

  /** Whether there is a model that can write. */
  set ready(ready: boolean) {
    this.#ready = ready;
    this.#show();
  }

  async #write(): Promise<void> {
    const settings = readSettings();
    const controller = new AbortController();
    this.#controller = controller;
    this.#show();
    const begin = document.createElement('b');
    begin.textContent = settings.prompt;
    const written = document.createTextNode('');
    this.#output.replaceChildren(begin, written);
    this.#output.hidden = false;
    this.#output.setAttribute('aria-busy', 'true');
    try {
      await this.#client.call('generate', settings, {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'written') written.appendData(event.text);
        },
      });
    } catch (error) {
      if (!controller.signal.aborted) throw error;
    } finally {
      this.#output.removeAttribute('aria-busy');
      this.#output.hidden = this.#output.textContent === '';
      this.#controller = null;
      this.#show();
    }
  }

  #show(): void {
    button('write').disabled = !this.#ready || this.#controller !== null;
    box('stop-writing').hidden = this.#controller === null;
  }
}

function readSettings(): GenerateSettings {
  return {
    prompt: element('prompt', HTMLTextAreaElement).value,
    length: input('generate-length').valueAsNumber,
    temperature: input('generate-temperature').valueAsNumber,
    topK: input('generate-top-k').valueAsNumber,
    topP: input('generate-top-p').valueAsNumber,
    seed: input('generate-seed').valueAsNumber,
  };
}
