/** The page of character models: joins its controls, the training worker and the panels. */
import { box, button, download, element, input, messageOf } from '../frame/dom.js';
import { create } from '../frame/dom.js';
import { formatCount } from '../frame/format.js';
import { showDevice, showHeader } from '../frame/site-header.js';
import { WorkerClient } from '../frame/worker-client.js';
import { DEVICE_ERROR, DIVERGED, WORKER_LOST } from '../frame/worker-messages.js';
import { curveImage, curveTable } from './curve-image.js';
import { DevicePanel } from './device-panel.js';
import { InsidePanel } from './inside-panel.js';
import { LossPanel } from './loss-panel.js';
import { showKept } from './models-panel.js';
import type {
  CharacterCalls,
  KeptFacts,
  OpenRequest,
  TextSource,
  TrainOutcome,
  WorkerEvent,
} from './protocol.js';
import { RunController } from './run-controller.js';
import { RunPanel } from './run-panel.js';
import { SamplePanel } from './sample-panel.js';
import { ScorePanel } from './score-panel.js';
import { SettingsForm } from './settings-form.js';
import { TextPanel } from './text-panel.js';
import { WritePanel } from './write-panel.js';

showHeader();
const client = new WorkerClient<CharacterCalls, WorkerEvent>(
  () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
);
const form = new SettingsForm();
const texts = new TextPanel();
const writePanel = new WritePanel(client, attempt);
const devicePanel = new DevicePanel(client, attempt);
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
  onKept: tellKept,
});
/** In place of the library's own words, which are for programmers. */
const LOST = 'The GPU was lost: its driver or the browser has given it up. What was kept is safe.';
/** In place of what only programmers need to know. */
const ENDED =
  'The browser has ended the worker that computes, perhaps for want of memory. What was kept is safe.';
/** The text that the worker reads or has read; null once another one is chosen. */
let reading: Promise<string> | null = null;
/** The model in the browser's storage that is shown; null where it is not kept yet. */
let openId: string | null = null;

form.onChange = () => {
  runs.followSettings();
  summarize();
};
texts.onChoice = () => {
  summarize();
  void attempt(readChosen);
};
summarize();
followWidth();
void attempt(readChosen);
watch();
void attempt(async () => {
  const device = await client.call('probe', null);
  showDevice(device);
  devicePanel.show(device.backend);
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
button('copy-model').addEventListener('click', () => {
  const id = openId;
  if (id !== null) void attempt(() => openKept({ id }, 'copy'));
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

/** The settings in a line, for where they are folded away. */
function summarize(): void {
  const { cell, numLayers, hiddenSize, steps } = form.read();
  const name = texts.name.replace(/^library/, 'Library');
  const network = `${cell.toUpperCase()} ${numLayers}×${hiddenSize}`;
  box('setup-summary').textContent = `${name} · ${network} · ${formatCount(steps)} steps`;
}

/** Beside the stage the settings are always open; above it they are folded away. */
function followWidth(): void {
  const wide = matchMedia('(min-width: 62rem)');
  const details = element('setup-details', HTMLDetailsElement);
  const follow = (): void => {
    details.open = wide.matches;
  };
  wide.addEventListener('change', follow);
  follow();
}

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
  openId = null;
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
  openId = null;
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
  const last = await lastKept();
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

async function openKept({ id }: Pick<KeptFacts, 'id'>, how: OpenRequest['how'] = 'own'): Promise<void> {
  if (runs.running) throw new Error('the page is training; wait for it to end, or stop it');
  const { backend } = form.read();
  if (how === 'take') notice('Asking the other tab to end its step and to keep the model…');
  const opened = await client.call('open', { id, backend, how }).catch(async (error: unknown) => {
    // One that turned out damaged has another place in the list.
    await listKept();
    throw error;
  });
  box('notice').hidden = true;
  if (!opened) {
    notice(
      'This model is open in another tab, which may be training it.',
      ['Open to read only', () => openKept({ id }, 'read')],
      ['Open a copy', () => openKept({ id }, 'copy')],
      ['Take it over here', () => openKept({ id }, 'take')],
    );
    return;
  }
  box('resume').hidden = true;
  openId = opened.kept.id;
  form.fill({ ...opened.settings });
  texts.show(opened.text);
  form.vocabularySize = opened.text.vocabulary.length;
  reading = Promise.resolve(opened.text.name);
  runs.opened(opened);
  box('status').scrollIntoView({ block: 'nearest' });
  if (how === 'copy') await listKept();
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
    rescue: ({ id }) => {
      void attempt(async () => {
        download(new Blob([await client.call('rescue', { id })]), 'damaged.safetensors');
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

/** Says something, and what may be done about it. */
function notice(
  message: string,
  ...actions: (readonly [label: string, act: () => Promise<unknown>])[]
): void {
  const buttons = actions.map(([label, act]) =>
    create('button', { type: 'button', class: 'small', onclick: () => void attempt(act) }, label),
  );
  box('notice').replaceChildren(message, ...(buttons.length > 0 ? [create('br')] : []), ...buttons);
  box('notice').hidden = false;
  box('notice').scrollIntoView({ block: 'nearest' });
}

/** A run goes on though its model cannot be kept: the person should know, until it can be again. */
function tellKept(event: Extract<WorkerEvent, { type: 'kept' | 'unkept' }>): void {
  const told = box('unkept');
  told.hidden = event.type === 'kept';
  if (event.type === 'kept') {
    openId = event.id;
    void listKept();
    return;
  }
  const onclick = (): void => button('download').click();
  told.replaceChildren(
    `${event.message}. Remove a model below, or export this one before you leave.`,
    create('br'),
    create('button', { type: 'button', class: 'small', onclick }, 'Export safetensors'),
  );
}

/** Follows what the worker tells of its own accord, and begins anew where it has ended. */
function watch(): void {
  const onEvent = (event: WorkerEvent): void => {
    if (event.type === 'kept' || event.type === 'unkept') tellKept(event);
    if (event.type !== 'taken') return;
    openId = event.id;
    runs.taken();
    notice(
      `Another tab has taken this model over, as it was after step ${formatCount(event.step)}. Here it can still write; to train it here too, make a copy.`,
    );
  };
  client.call('watch', null, { onEvent }).catch(async (error: unknown) => {
    // A script that cannot be loaded will not be there the next time either.
    if (!(error instanceof Error) || error.name !== WORKER_LOST) return;
    const told = runs.running;
    runs.lost();
    watch();
    await readChosen().catch(() => undefined);
    if (!told) await attempt(() => Promise.reject(error));
  });
}

/** Runs what a person asked for, and shows them what went wrong. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  const shown = box('error');
  for (const told of [shown, box('notice')]) {
    told.hidden = true;
    told.replaceChildren();
  }
  try {
    await work();
  } catch (error) {
    const message = messageOf(error);
    const name = error instanceof Error ? error.name : '';
    const plain = name === WORKER_LOST ? ENDED : message.includes('the device was lost') ? LOST : message;
    const gone = name === DEVICE_ERROR || name === WORKER_LOST;
    const waysOn = gone ? await recovery() : name === DIVERGED ? lowerRates() : [];
    shown.replaceChildren(plain, ...waysOn);
    shown.title = message;
    shown.hidden = false;
    shown.scrollIntoView({ block: 'nearest' });
  }
}

/** The model that was kept last and is whole. */
async function lastKept(): Promise<KeptFacts | undefined> {
  return (await listKept()).find(({ damage }) => damage === null);
}

/** After a lost device or worker: the way on from what was kept. */
async function recovery(): Promise<HTMLElement[]> {
  const last = await lastKept();
  if (!last) return [];
  const onclick = (): void => void attempt(() => openKept(last));
  const label = `Go on from step ${formatCount(last.step)}`;
  return [create('br'), create('button', { type: 'button', class: 'small', onclick }, label)];
}

/** After a run that has diverged: on from the step where it was kept, or from the start, and more carefully. */
function lowerRates(): HTMLElement[] {
  const id = openId;
  const lower = (rate: number): void => form.fill({ learningRate: Number((rate / 10).toPrecision(2)) });
  const goOn = async (): Promise<void> => {
    await openKept({ id: id! });
    lower(runs.history.learningRates.at(-1)!);
  };
  const again = async (): Promise<void> => {
    lower(form.read().learningRate);
    await start();
  };
  const onclick = (): void => void attempt(id === null ? again : goOn);
  const label =
    id === null
      ? 'Start again with a lower learning rate'
      : 'Go back to what was kept, with a lower learning rate';
  return [create('br'), create('button', { type: 'button', class: 'small', onclick }, label)];
}
