/** The page of gestures: examples by class, a surface to draw on, and the verdict as one draws. */
import { box, button, create, element, input, messageOf, setText } from '../frame/dom.js';
import { formatDuration } from '../frame/format.js';
import { LineChart, smooth } from '../frame/line-chart.js';
import { showDevice, showHeader } from '../frame/site-header.js';
import { WorkerClient } from '../frame/worker-client.js';
import { drawStrokes, Pad } from './pad.js';
import type { GestureCalls, GestureEvent } from './protocol.js';
import { FIRST_GESTURES, resample, vary, type Stroke } from './strokes.js';

interface GestureClass {
  readonly name: string;
  readonly strokes: Stroke[];
}

/** Examples that each first gesture begins with. */
const FIRST_EXAMPLES = 3;

showHeader();
const client = new WorkerClient<GestureCalls, GestureEvent>(
  () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
);
const chart = new LineChart(box('chart'));
const pad = new Pad({
  onGrow: (stroke) => {
    if (trying) void classify(stroke);
  },
  onEnd: (stroke) => {
    if (trying) void classify(stroke);
    else if (chosen) addExample(chosen, [...stroke]);
  },
});

let classes: GestureClass[] = FIRST_GESTURES.map(({ name, stroke }) => ({
  name,
  strokes: Array.from({ length: FIRST_EXAMPLES }, () => whole(stroke)),
}));
let chosen: GestureClass | null = classes[0] ?? null;
/** What the network knows, in its order; the classes may have changed since. */
let learned: readonly GestureClass[] = [];
let trying = false;
let learning = false;
let backend: 'webgpu' | 'cpu' = 'webgpu';
/** The newest stroke that waits for a verdict. */
let waiting: Stroke | null = null;
let classifying = false;

const device = client.call('probe', null).then((facts) => {
  showDevice(facts);
  backend = facts.backend;
});
button('learn').addEventListener('click', () => void attempt(learn));
button('try').addEventListener('click', () => setTrying(!trying));
button('demonstrate').addEventListener('click', () => {
  setTrying(true);
  const example = learned[Math.floor(Math.random() * learned.length)]!.strokes[0]!;
  void attempt(() => pad.demonstrate(resample(unit(whole(example)), 40)));
});
element('setup', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const name = input('class-name').value.trim();
  if (name === '') return;
  chosen = { name, strokes: [] };
  classes.push(chosen);
  input('class-name').value = '';
  setTrying(false);
});
button('clear').addEventListener('click', () => {
  classes = [];
  chosen = null;
  setTrying(false);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
show();

/** A variant that is not cut short. */
function whole(stroke: Stroke): Stroke {
  for (;;) {
    const varied = vary(stroke, Math.random);
    if (varied.length === resample(stroke, 32).length) return varied;
  }
}

/** The stroke in a square of 1. */
function unit(stroke: Stroke): Stroke {
  const xs = stroke.map(([x]) => x);
  const ys = stroke.map(([, y]) => y);
  const [x0, y0] = [Math.min(...xs), Math.min(...ys)];
  const size = Math.max(Math.max(...xs) - x0, Math.max(...ys) - y0) || 1;
  return stroke.map(([x, y]) => [(x - x0) / size, (y - y0) / size] as const);
}

function addExample(to: GestureClass, stroke: Stroke): void {
  to.strokes.push(stroke);
  setText(
    'status',
    `${to.name} has ${to.strokes.length} examples. Draw more, choose another gesture, or press “Learn”.`,
  );
  show();
}

async function learn(): Promise<void> {
  const usable = classes.filter(({ strokes }) => strokes.length > 0);
  if (usable.length < 2)
    throw new Error('gestures: there are examples of fewer than two; add one and draw it a few times');
  await device;
  const losses: number[] = [];
  learning = true;
  show();
  setText('status', 'Preparing the network…');
  try {
    const examples = usable.flatMap(({ strokes }, label) => strokes.map((stroke) => ({ stroke, label })));
    const { accuracy, seconds } = await client.call(
      'train',
      { examples, classes: usable.length, backend },
      {
        onEvent: ({ step, steps, loss }) => {
          losses.push(loss);
          element('progress', HTMLProgressElement).value = step / steps;
          setText('status', `Learning: step ${step} of ${steps}.`);
          showLosses(losses, steps);
        },
      },
    );
    learned = usable.map(({ name, strokes }) => ({ name, strokes: [...strokes] }));
    setText(
      'status',
      `Learned in ${formatDuration(seconds)}: ${Math.round(100 * accuracy)} % of new variants are told right. Now draw one.`,
    );
    setTrying(true);
  } finally {
    learning = false;
    show();
  }
}

function showLosses(losses: readonly number[], steps: number): void {
  const x = losses.map((_, index) => index + 1);
  chart.show({
    lines: [
      { label: 'loss', x, y: losses, color: '--training', width: 1, alpha: 0.35 },
      { label: 'smoothed', x, y: smooth(losses, 0.8), color: '--training' },
    ],
    end: steps,
  });
}

/** Asks for the verdict on the newest stroke, one at a time. */
async function classify(stroke: Stroke): Promise<void> {
  waiting = [...stroke];
  if (classifying) return;
  classifying = true;
  try {
    while (waiting) {
      const next: Stroke = waiting;
      waiting = null;
      showVerdict(await client.call('classify', next));
    }
  } catch (error) {
    showError(error);
  } finally {
    classifying = false;
  }
}

function showVerdict(probabilities: readonly number[]): void {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const items = probabilities.map((probability, label) => {
    const bar = create('span', { class: 'bar' });
    bar.style.width = `${(100 * probability).toFixed(1)}%`;
    return create(
      'li',
      { class: label === best ? 'came' : undefined },
      create('span', { class: 'sign' }, learned[label]?.name ?? ''),
      create('span', { class: 'track' }, bar),
      create('span', { class: 'percent' }, `${Math.round(100 * probability)} %`),
    );
  });
  box('verdict').replaceChildren(...items);
}

function setTrying(on: boolean): void {
  trying = on && learned.length > 0;
  show();
}

function show(): void {
  button('learn').disabled = learning;
  button('try').disabled = learned.length === 0;
  button('demonstrate').disabled = learned.length === 0;
  button('try').setAttribute('aria-pressed', String(trying));
  button('try').textContent = trying ? 'Back to examples' : 'Try it';
  setText(
    'mode',
    trying
      ? 'draw any of the gestures'
      : chosen
        ? `drawing examples of ${chosen.name}`
        : 'add a gesture first',
  );
  const canvases: [HTMLCanvasElement, readonly Stroke[]][] = [];
  box('classes').replaceChildren(
    ...classes.map((item) => {
      const canvas = create('canvas', { 'aria-hidden': 'true' });
      canvases.push([canvas, item.strokes.slice(-4)]);
      const { length } = item.strokes;
      return create(
        'button',
        {
          type: 'button',
          'aria-pressed': String(!trying && item === chosen),
          'aria-label': `${item.name}, ${length} examples`,
          onclick: () => {
            chosen = item;
            setTrying(false);
          },
        },
        create('span', {}, `${item.name} `, create('span', { class: 'hint' }, String(length))),
        canvas,
      );
    }),
  );
  for (const [canvas, strokes] of canvases) drawStrokes(canvas, strokes, 1.5, true);
}

function showError(error: unknown): void {
  box('error').textContent = messageOf(error);
  box('error').hidden = false;
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  box('error').hidden = true;
  try {
    await work();
  } catch (error) {
    showError(error);
  }
}
