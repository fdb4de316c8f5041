/** The curve of a run as files: a picture that is legible on its own, and a table. */
import { drawChart } from '../frame/curve-drawing.js';
import type { History } from './protocol.js';

/** As the page looks in light, with a title, since nothing else will explain it. */
const SCALE = 2;
const STYLE = {
  width: 960,
  height: 540,
  fontSize: 16,
  fontFamily: 'system-ui, sans-serif',
  background: '#ffffff',
  text: '#1d1c1a',
  grid: '#e5e1d9',
  training: '#2b46c0',
  validation: '#b4540a',
} as const;

/** A PNG image. */
export async function curveImage({ losses, validation, steps }: History, title: string): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = STYLE.width * SCALE;
  canvas.height = STYLE.height * SCALE;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('chart: the browser offers no 2D canvas; use another one');
  context.scale(SCALE, SCALE);
  const lastStep = steps.at(-1) ?? 0;
  drawChart(context, { steps, losses, validation, lastStep }, { ...STYLE, title });
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error('loss curve: the browser could not make an image of it; try again'));
    }, 'image/png');
  });
}

/** A table: a row a step. */
export function curveTable(history: History): Blob {
  const { steps, seconds, losses, gradientNorms, learningRates, validation } = history;
  const validated = new Map(validation.map(({ step, loss }) => [step, loss]));
  const rows = steps.map((step, index) =>
    [
      step,
      seconds[index]!.toFixed(3),
      losses[index],
      validated.get(step) ?? '',
      gradientNorms[index],
      learningRates[index],
    ].join(','),
  );
  const head = 'step,seconds,train_loss,validation_loss,gradient_norm,learning_rate';
  return new Blob([[head, ...rows, ''].join('\n')], { type: 'text/csv' });
}
