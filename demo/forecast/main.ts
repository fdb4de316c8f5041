/** The page of forecasts: joins the canvas, the worker and the controls. */
import { box, button, create, element, input, messageOf, setText } from '../frame/dom.js';
import { formatCount, formatDuration, formatLoss } from '../frame/format.js';
import { LineChart, smooth } from '../frame/line-chart.js';
import { showDevice, showHeader } from '../frame/site-header.js';
import { WorkerClient } from '../frame/worker-client.js';
import type { ForecastCalls, ForecastEvent, ForecastSettings } from './protocol.js';
import { EXAMPLES, parseSeries } from './series.js';
import { SeriesView } from './series-view.js';

showHeader();
const client = new WorkerClient<ForecastCalls, ForecastEvent>(
  () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
);
const chart = new LineChart(box('chart'));
const view = new SeriesView((drawn) => choose(drawn));
const losses: number[] = [];

let series: readonly number[] = EXAMPLES.season.values();
let futures: readonly Float32Array[] = [];
/** How many values the futures that are shown have. */
let horizon = 64;
let running: AbortController | null = null;
let backend: 'webgpu' | 'cpu' = 'webgpu';
let seed = 1;

const device = client.call('probe', null).then((facts) => {
  showDevice(facts);
  backend = facts.backend;
});
box('examples').append(
  ...Object.values(EXAMPLES).map(({ name, values }) =>
    create('button', { type: 'button', class: 'chip', onclick: () => choose(values()) }, name),
  ),
);
button('learn').addEventListener('click', () => void attempt(learn));
button('stop').addEventListener('click', () => running?.abort());
button('again').addEventListener('click', () => {
  void attempt(async () => {
    ({ paths: futures } = await client.call('draw', { seed: ++seed }));
    show();
  });
});
element('numbers', HTMLTextAreaElement).addEventListener('input', (event) => {
  const { value } = event.currentTarget as HTMLTextAreaElement;
  if (value.trim() !== '') void attempt(async () => choose(parseSeries(value)));
});
element('setup', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
input('hide').addEventListener('change', () => choose(series));
show();

/** Another series is there: what was forecast belongs to the one before. */
function choose(values: readonly number[]): void {
  running?.abort();
  series = values;
  futures = [];
  button('again').disabled = true;
  setText('status', `A series of ${formatCount(values.length)} values. Press “Learn and forecast”.`);
  show();
}

/** What the network may see, and what is hidden from it. */
function parts(): { readonly seen: readonly number[]; readonly hidden: readonly number[] } {
  const cut = input('hide').checked ? Math.floor(series.length * 0.75) : series.length;
  return { seen: series.slice(0, cut), hidden: series.slice(cut) };
}

function show(): void {
  const { seen, hidden } = parts();
  const ahead = futures[0]?.length ?? (hidden.length > 0 ? hidden.length : horizon);
  view.show({ values: seen, horizon: ahead, futures, truth: hidden.slice(0, ahead) });
}

function showLosses(steps: number): void {
  const x = losses.map((_, index) => index + 1);
  chart.show({
    lines: [
      { label: 'loss', x, y: losses, color: '--training', width: 1, alpha: 0.35 },
      { label: 'smoothed', x, y: smooth(losses, 0.9), color: '--training' },
    ],
    end: steps,
  });
}

async function learn(): Promise<void> {
  await device;
  const settings = readSettings();
  const { seen, hidden } = parts();
  horizon = hidden.length > 0 ? hidden.length : input('horizon').valueAsNumber;
  if (!Number.isInteger(horizon) || horizon < 1 || horizon > 500) {
    throw new Error('How far ahead: pass a whole number from 1 to 500');
  }
  const controller = new AbortController();
  running = controller;
  losses.length = 0;
  showButtons();
  setText('status', 'Preparing the network…');
  try {
    const outcome = await client.call(
      'train',
      { values: seen, horizon, settings, backend },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (running !== controller || controller.signal.aborted) return;
          if (event.type === 'futures') {
            futures = event.paths;
            show();
            return;
          }
          losses.push(event.loss);
          element('progress', HTMLProgressElement).value = event.step / settings.steps;
          setText(
            'status',
            `Step ${formatCount(event.step)} of ${formatCount(settings.steps)}, loss ${formatLoss(event.loss)}.`,
          );
          showLosses(settings.steps);
        },
      },
    );
    if (running !== controller || controller.signal.aborted) return;
    const { steps, seconds } = outcome;
    setText('status', `Learned in ${formatCount(steps)} steps, ${formatDuration(seconds)}. ${judge(hidden)}`);
    button('again').disabled = false;
  } finally {
    if (running === controller) running = null;
    showButtons();
  }
}

/** How often what came lay within the middle nine tenths of the futures. */
function judge(truth: readonly number[]): string {
  if (truth.length === 0) return 'The fan shows what it holds possible.';
  const within = truth.filter((value, i) => {
    const column = futures.map((path) => path[i]!).sort((a, b) => a - b);
    const out = Math.floor(column.length * 0.05);
    return value >= column[out]! && value <= column[column.length - 1 - out]!;
  }).length;
  return `${Math.round((100 * within) / truth.length)} % of what came lay within nine tenths of the futures.`;
}

function readSettings(): ForecastSettings {
  return {
    cell: element('cell', HTMLSelectElement).value as ForecastSettings['cell'],
    hiddenSize: input('hiddenSize').valueAsNumber,
    steps: input('steps').valueAsNumber,
    learningRate: input('learningRate').valueAsNumber,
    seed,
  };
}

function showButtons(): void {
  button('learn').hidden = running !== null;
  button('stop').hidden = running === null;
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  const shown = box('error');
  shown.hidden = true;
  try {
    await work();
  } catch (error) {
    setText('status', '');
    shown.textContent = messageOf(error);
    shown.hidden = false;
  }
}
