/** What all pages share at the top: the way to the others, and a line that says what computes. */
import type { DeviceFacts } from './device.js';
import { create } from './dom.js';
import { formatBytes } from './format.js';

/** The pages, in the order of the menu. A new one is added here and to `vite.demo.config.ts`. */
const PAGES = [
  { id: 'characters', file: 'index.html', title: 'Writing' },
  { id: 'forecast', file: 'forecast.html', title: 'Forecasting' },
  { id: 'gestures', file: 'gestures.html', title: 'Gestures' },
] as const;

const line = create('p', { id: 'adapter', class: 'device' }, 'Looking for a GPU…');

/** Fills the header of the page. */
export function showHeader(): void {
  const header = document.querySelector<HTMLElement>('header.site')!;
  const links = PAGES.map(({ id, file, title }) =>
    create(
      'a',
      { href: `./${file}`, 'aria-current': header.dataset['page'] === id ? 'page' : undefined },
      title,
    ),
  );
  header.append(
    create(
      'div',
      { class: 'site-inner' },
      create('a', { class: 'brand', href: './index.html' }, 'webgpu-rnn'),
      create('nav', { 'aria-label': 'Pages' }, ...links),
      line,
    ),
  );
}

/** Says what computes, and why it is not a GPU where it is none. */
export function showDevice({ description, software, limits, missing }: DeviceFacts): void {
  line.className = `device ${missing ? 'none' : software ? 'software' : 'hardware'}`;
  if (missing) {
    line.textContent = isSecureContext
      ? 'No WebGPU here: the CPU does the work, more slowly.'
      : 'No WebGPU: browsers offer it to https:// and localhost pages only. The CPU does the work, more slowly.';
    line.title = missing;
    return;
  }
  const note = software ? ', a software adapter: WebGPU without a GPU; the CPU alone may be faster' : '';
  line.textContent = `${description.replace(/^webgpu: /, 'WebGPU on ')}${note}`;
  if (limits)
    line.title = `Buffers up to ${formatBytes(limits.buffer)}, bindings up to ${formatBytes(limits.binding)}`;
}
