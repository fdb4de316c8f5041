/** The page of character models: joins its controls, the training worker and the panels. */
import { box, button, download, element, input, messageOf } from '../frame/dom.js';
import { create } from '../frame/dom.js';
import { formatCount } from '../frame/format.js';
import { showDevice, showHeader } from '../frame/site-header.js';
import { WorkerClient } from '../frame/worker-client.js';
import { DEVICE_ERROR } from '../frame/worker-messages.js';
import { curveImage, curveTable } from './curve-image.js';
import { InsidePanel } from './inside-panel.js';
import { LossPanel } from './loss-panel.js';
import { showKept } from './models-panel.js';
import type { CharacterCalls, KeptFacts, TextSource, TrainOutcome, WorkerEvent } from './protocol.js';
import { RunController } from './run-controller.js';
import { RunPanel } from './run-panel.js';
import { SamplePanel } from './sample-panel.js';
import { ScorePanel } from './score-panel.js';
import { SettingsForm } from './settings-form.js';
import { TextPanel } from './text-panel.js';
import { WritePanel } from './write-panel.js';

showHeader();
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
const client = new WorkerClient<CharacterCalls, WorkerEvent>(worker);
const form = new SettingsForm();
const texts = new TextPanel();
const writePanel = new WritePanel(client, attempt);
const inside = new InsidePanel(client);
const samples = new SamplePanel();
samples.onShow = ({ text }) => inside.look(text);
const runs = new RunController({
  client,
  run: new RunPanel(),
  loss: new LossPanel(),
  samples,
  scores: new ScorePanel(),
  onChange: showModel,
  onNotice: notice,
  onKept: () => void listKept(),
});
/** In place of the library's own words, which are for programmers. */
const LOST = 'The GPU was lost: its driver or the browser has given it up. What was kept is safe.';
/** The text that the worker reads or has read; null once another one is chosen. */
let reading: Promise<string> | null = null;

form.onChange = () => runs.followSettings();
texts.onChoice = () => void attempt(readChosen);
void attempt(readChosen);
void attempt(async () => {
  const device = await client.call('probe', null);
  showDevice(device);
  form.suit(device);
  runs.followSettings();
  await offerLast();
});

button('start').addEventListener('click', () => void attempt(start));
element('setup', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  if (!runs.running) void attempt(start);
});
button('further').addEventListener('click', () => {
  void attempt(async () => {
    const name = (await reading) ?? texts.name;
    await runs.further(form.read(), name);
  });
});
button('reset').addEventListener('click', () => {
  void attempt(async () => {
    await client.call('reset', null);
    runs.cleared();
  });
});
button('download').addEventListener('click', () => {
  void attempt(async () => download(await modelFile(), 'model.safetensors'));
});
button('download-curve').addEventListener('click', () => {
  void attempt(async () => download(await curve(), 'loss.png'));
});
button('download-csv').addEventListener('click', () => download(curveTable(runs.history), 'loss.csv'));
button('copy-link').addEventListener('click', () => void attempt(copyLink));
input('model-file').addEventListener('change', () => {
  const field = input('model-file');
  const file = field.files?.[0];
  // The same file may be chosen again.
  void attempt(() => loadModel(file)).finally(() => (field.value = ''));
});
followDrops();
// A hidden page may be ended by the system without another word.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden' && runs.running)
    void client.call('keep', null).catch(() => undefined);
});

window.demo = {
  train: async (text, settings, onEvent) => {
    form.fill(settings);
    await read({ kind: 'url', ...text });
    return runs.fresh(settings, text.name, { keep: false, onEvent });
  },
  stop: () => runs.stop(),
  model: modelFile,
  curve,
};

/** Reads a text in the worker and shows what it is. */
async function read(source: TextSource): Promise<string> {
  const work = async (): Promise<string> => {
    texts.clear('Reading…');
    try {
      const facts = await client.call('read', source, {
        onEvent: (event) => {
          if (event.type === 'reading' && event.bytes > 2e6) {
            texts.clear(`Reading: ${formatCount(event.bytes)} bytes so far`);
          }
        },
      });
      texts.show(facts);
      form.vocabularySize = facts.vocabulary.length;
      return facts.name;
    } catch (error) {
      texts.clear();
      reading = null;
      throw error;
    }
  };
  const done = work();
  reading = done;
  return done;
}

/** Reads the text that is chosen, if there is one already. */
async function readChosen(): Promise<void> {
  reading = null;
  if (texts.complete) await read(texts.source());
  else texts.clear();
}

async function start(): Promise<TrainOutcome> {
  box('resume').hidden = true;
  const name = await (reading ?? read(texts.source()));
  return runs.fresh(form.read(), name, { keep: true });
}

async function modelFile(): Promise<Blob> {
  return new Blob([await client.call('save', null)]);
}

function curve(): Promise<Blob> {
  return curveImage(runs.history, runs.name);
}

async function copyLink(): Promise<void> {
  const link = form.link();
  history.replaceState(null, '', link);
  try {
    await navigator.clipboard.writeText(link);
    notice('The link to these settings is copied.');
  } catch {
    notice('The page’s address is now the link to these settings.');
  }
}

async function loadModel(file: File | undefined): Promise<void> {
  if (!file) return;
  if (runs.running) throw new Error('the page is training; wait for it to end, or stop it');
  const bytes = await file.arrayBuffer();
  const { backend } = form.read();
  const facts = await client.call('load', { bytes, backend }, { transfer: [bytes] });
  runs.loaded(facts, file.name);
}

/** A file dropped anywhere is a model to load, or a text to learn. */
function followDrops(): void {
  const show = (dropping: boolean): void => void document.body.classList.toggle('dropping', dropping);
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    show(true);
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) show(false);
  });
  addEventListener('drop', (event) => {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    show(false);
    if (file.name.endsWith('.safetensors')) void attempt(() => loadModel(file));
    else texts.drop(file);
  });
}

/** Offers to go on with what was trained last. */
async function offerLast(): Promise<void> {
  const [last] = await listKept();
  const offer = box('resume');
  if (!last || runs.running || runs.model) return;
  const unfinished = last.step < last.steps;
  const where = `step ${formatCount(last.step)} of ${formatCount(last.steps)}`;
  const goOn = create('button', { type: 'button', id: 'open-last', class: 'small' }, 'Open it');
  goOn.addEventListener('click', () => void attempt(() => openKept(last)));
  offer.replaceChildren(
    `You have trained ${last.name} here${unfinished ? `, as far as ${where}` : ''}. `,
    goOn,
  );
  offer.hidden = false;
}

async function openKept({ id }: KeptFacts): Promise<void> {
  if (runs.running) throw new Error('the page is training; wait for it to end, or stop it');
  const { backend } = form.read();
  const opened = await client.call('open', { id, backend });
  box('resume').hidden = true;
  form.fill({ ...opened.settings });
  texts.show(opened.text);
  form.vocabularySize = opened.text.vocabulary.length;
  reading = Promise.resolve(opened.text.name);
  runs.opened(opened);
}

async function listKept(): Promise<readonly KeptFacts[]> {
  const models = await client.call('kept', null).catch(() => []);
  showKept(models, {
    open: (model) => void attempt(() => openKept(model)),
    rename: ({ id }, name) => void attempt(() => client.call('rename', { id, name })),
    remove: ({ id }) => {
      void attempt(async () => {
        await client.call('remove', { id });
        box('resume').hidden = true;
        await listKept();
      });
    },
  });
  return models;
}

function showModel(): void {
  const { model } = runs;
  const ready = model !== null;
  writePanel.ready = ready;
  if (!ready) inside.clear();
  button('download').disabled = !ready;
  for (const id of ['download-curve', 'download-csv']) button(id).disabled = runs.history.steps.length === 0;
  box('model').textContent = ready
    ? `${model.kind}, ${formatCount(model.parameterCount)} parameters, ${model.vocabularySize} different characters, on ${model.adapter}`
    : 'There is none yet: train one, or load one from a file.';
}

function notice(message: string): void {
  box('notice').textContent = message;
  box('notice').hidden = false;
}

/** Runs what a person asked for, and shows them what went wrong. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  const shown = box('error');
  shown.hidden = true;
  box('notice').hidden = true;
  try {
    await work();
  } catch (error) {
    const message = messageOf(error);
    shown.replaceChildren(message.includes('the device was lost') ? LOST : message);
    shown.title = message;
    if (error instanceof Error && error.name === DEVICE_ERROR) await offerRecovery(shown);
    shown.hidden = false;
    shown.scrollIntoView({ block: 'nearest' });
  }
}

/** After a lost device: the way on from what was kept. */
async function offerRecovery(shown: HTMLElement): Promise<void> {
  const [last] = await listKept();
  if (!last) return;
  const again = create(
    'button',
    { type: 'button', class: 'small' },
    `Go on from step ${formatCount(last.step)}`,
  );
  again.addEventListener('click', () => void attempt(() => openKept(last)));
  shown.append(create('br'), again);
}
