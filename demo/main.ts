/** The demo page: joins its controls, the training worker and the chart. */
import { WorkerClient } from './client.js';
import { element, fillSettings, readGenerateSettings, readSettings } from './form.js';
import { formatCount } from './format.js';
import { LossChart } from './loss-chart.js';
import { ProgressView } from './progress-view.js';
import { DEFAULT_SETTINGS, type ModelFacts, type TrainOutcome, type WorkerEvent } from './protocol.js';
import { followSourceChoice, readFile, selectedText, textAt, type TextSource } from './texts.js';

type Activity = 'training' | 'writing' | 'loading' | 'saving';

const client = new WorkerClient();
const chart = new LossChart(element('chart', HTMLCanvasElement));
const view = new ProgressView(chart);
const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);

let activity: Activity | null = null;
let controller = new AbortController();
let model: ModelFacts | null = null;

fillSettings(DEFAULT_SETTINGS);
followSourceChoice();
showControls();
void probe();

element('setup', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(() => train(selectedText(), { further: false }));
});
button('further').addEventListener('click', () => {
  void attempt(() => train(selectedText(), { further: true }));
});
button('stop').addEventListener('click', stop);
button('stop-writing').addEventListener('click', stop);
element('generate', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(write);
});
button('download').addEventListener('click', () => {
  void attempt(async () => download(await saveModel(), 'model.safetensors'));
});
button('download-curve').addEventListener('click', () => {
  void attempt(async () => download(await chart.image(), 'loss.png'));
});
element('model-file', HTMLInputElement).addEventListener('change', (event) => {
  void attempt(() => loadModel(event.currentTarget as HTMLInputElement));
});

window.demo = {
  train: (text, settings, onEvent) => {
    fillSettings(settings);
    return train(textAt(text.url, text.name), { further: false, ...(onEvent ? { onEvent } : {}) });
  },
  stop,
  model: saveModel,
  curve: () => chart.image(),
};

/** Finds out whether there is WebGPU, and says so either way. */
async function probe(): Promise<void> {
  const adapter = element('adapter', HTMLSpanElement);
  try {
    adapter.textContent = await client.call({ type: 'probe' });
    adapter.parentElement?.classList.add('ready');
  } catch (error) {
    adapter.textContent = 'No WebGPU here';
    const notice = element('no-webgpu', HTMLParagraphElement);
    notice.textContent = `${messageOf(error)}. Training on the CPU works all the same, only slower: it is chosen for you.`;
    notice.hidden = false;
    const backend = element('backend', HTMLSelectElement);
    backend.value = 'cpu';
    backend.querySelector<HTMLOptionElement>('option[value="webgpu"]')!.disabled = true;
  }
}

/** Trains on a text with the form's settings. */
async function train(
  source: TextSource,
  options: { readonly further: boolean; readonly onEvent?: (event: WorkerEvent) => void },
): Promise<TrainOutcome> {
  const { further, onEvent } = options;
  const settings = readSettings();
  return during('training', async (signal) => {
    view.begin(source.name, settings.steps, { further });
    try {
      const text = await source.load();
      view.preparing();
      const outcome = await client.call(
        { type: 'train', text, textName: source.name, settings, further },
        {
          signal,
          transfer: [text],
          onEvent: (event) => {
            // Until then, the worker keeps the model that was there before.
            if (event.type === 'ready') showModel(event.model);
            view.show(event);
            onEvent?.(event);
          },
        },
      );
      view.end(outcome);
      return outcome;
    } catch (error) {
      view.fail();
      throw error;
    }
  });
}

function stop(): void {
  if (activity === 'training') view.stopping();
  controller.abort();
}

/** Writes on from the prompt into the page. */
async function write(): Promise<void> {
  const settings = readGenerateSettings();
  const output = element('output', HTMLPreElement);
  await during('writing', async (signal) => {
    const begin = document.createElement('b');
    begin.textContent = settings.prompt;
    const written = document.createTextNode('');
    output.replaceChildren(begin, written);
    output.hidden = false;
    output.setAttribute('aria-busy', 'true');
    try {
      await client.call(
        { type: 'generate', ...settings },
        {
          signal,
          onEvent: (event) => {
            if (event.type === 'written') written.appendData(event.text);
          },
        },
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      output.removeAttribute('aria-busy');
      output.hidden = output.textContent === '';
    }
  });
}

async function saveModel(): Promise<Blob> {
  return during('saving', async () => new Blob([await client.call({ type: 'save' })]));
}

async function loadModel(input: HTMLInputElement): Promise<void> {
  const file = input.files?.[0];
  if (!file) return;
  const { backend } = readSettings();
  await during('loading', async () => {
    try {
      const bytes = await readFile(file);
      const facts = await client.call({ type: 'load', bytes, backend }, { transfer: [bytes] });
      showModel(facts);
      view.loaded(file.name);
    } finally {
      // The same file may be chosen again.
      input.value = '';
    }
  });
}

/** Runs one thing at a time, the controls telling which. */
async function during<R>(what: Activity, work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  if (activity !== null) throw new Error(`the page is ${activity}; wait for it to end, or stop it`);
  activity = what;
  controller = new AbortController();
  element('error', HTMLParagraphElement).hidden = true;
  showControls();
  try {
    return await work(controller.signal);
  } finally {
    activity = null;
    showControls();
  }
}

/** Runs what a person asked for, and shows them what went wrong. */
async function attempt(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    const box = element('error', HTMLParagraphElement);
    box.textContent = messageOf(error);
    box.hidden = false;
    box.scrollIntoView({ block: 'nearest' });
  }
}

function showControls(): void {
  const idle = activity === null;
  const ready = idle && model !== null;
  button('start').disabled = !idle;
  button('further').disabled = !ready;
  button('stop').disabled = activity !== 'training';
  button('write').disabled = !ready;
  button('stop-writing').disabled = activity !== 'writing';
  button('download').disabled = !ready;
  button('download-curve').disabled = chart.empty;
  element('model-file', HTMLInputElement).disabled = !idle;
}

function showModel(facts: ModelFacts): void {
  model = facts;
  const { kind, vocabularySize, parameterCount, adapter } = facts;
  element('model', HTMLParagraphElement).textContent =
    `${kind}, ${formatCount(parameterCount)} parameters, ${vocabularySize} different characters, on ${adapter}`;
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken hold of the blob by the next turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
