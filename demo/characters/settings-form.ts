/** The form of settings: made from the table of controls, read into settings, filled from them, put into links. */
import { box, create } from '../frame/dom.js';
import { formatBytes, formatCount } from '../frame/format.js';
import type { DeviceFacts } from '../frame/device.js';
import { CONTROL_GROUPS, PRESETS, type Control } from './controls.js';
import { forecast } from './forecast.js';
import { DEFAULT_SETTINGS, type Settings } from './protocol.js';
import { CONTROLS, linkOf, settingsFromLink } from './settings-link.js';

/** Above this, even large adapters may refuse. */
const MUCH = 4e9;

/** The form. */
export class SettingsForm {
  #device: DeviceFacts | null = null;
  #vocabularySize = 0;
  /** Whether a person, or a link, has chosen something. */
  #touched = false;
  #onChange: () => void = () => undefined;

  constructor() {
    box('controls').append(presetRow(this), ...CONTROL_GROUPS.map(groupElement));
    this.fill(DEFAULT_SETTINGS);
    box('controls').addEventListener('input', () => {
      this.#touched = true;
      this.#changed();
    });
    const linked = settingsFromLink(location.hash);
    if (Object.keys(linked).length === 0) return;
    this.#touched = true;
    this.fill({ ...DEFAULT_SETTINGS, ...linked });
  }

  /** Called whenever a setting has changed. */
  set onChange(listener: () => void) {
    this.#onChange = listener;
  }

  /** What the form says now. An empty field is NaN, which the library refuses by name. */
  read(): Settings {
    const entries = CONTROLS.map(({ name, choices }) => {
      const field = box(name) as HTMLInputElement | HTMLSelectElement;
      return [name, choices ? field.value : (field as HTMLInputElement).valueAsNumber] as const;
    });
    return Object.fromEntries(entries) as unknown as Settings;
  }

  /** Fills the form. */
  fill(settings: Partial<Settings>): void {
    for (const [name, value] of Object.entries(settings)) {
      (box(name) as HTMLInputElement | HTMLSelectElement).value = String(value);
    }
    this.#changed();
  }

  /** A person's choice of many settings at once. */
  choose(settings: Partial<Settings>): void {
    this.#touched = true;
    const { backend } = this.read();
    this.fill({ ...DEFAULT_SETTINGS, backend, ...settings });
  }

  /** What is there: chooses the backend, and sizes that suit it unless somebody has chosen. */
  suit(device: DeviceFacts): void {
    this.#device = device;
    const { backend, software } = device;
    const field = box('backend') as HTMLSelectElement;
    field.querySelector<HTMLOptionElement>('option[value="webgpu"]')!.disabled = backend === 'cpu';
    if (backend === 'cpu') field.value = 'cpu';
    if (!this.#touched) {
      const preset = PRESETS.find(({ name }) =>
        backend === 'cpu' ? name === 'Lean GRU' : !software && name === 'For a GPU',
      );
      if (preset) this.fill(preset.settings);
    }
    this.#changed();
  }

  /** How many different characters the text has. */
  set vocabularySize(size: number) {
    this.#vocabularySize = size;
    this.#changed();
  }

  /** The page's address with these settings in it. */
  link(): string {
    return `${location.origin}${location.pathname}#${linkOf(this.read())}`;
  }

  #changed(): void {
    this.#showForecast();
    this.#onChange();
  }

  #showForecast(): void {
    const settings = this.read();
    const { parameters, bytes, largestArray } = forecast(settings, this.#vocabularySize);
    const known = Number.isFinite(bytes) && this.#vocabularySize > 0;
    box('forecast').textContent = known
      ? `${formatCount(parameters)} parameters, about ${formatBytes(bytes)} while training`
      : 'Parameters and memory appear here once there is a text.';
    const limit = settings.backend === 'webgpu' ? this.#device?.limits : null;
    const tooLarge = limit && largestArray > Math.min(limit.binding, limit.buffer);
    const warning = box('forecast-warning');
    warning.hidden = !known || (!tooLarge && bytes < MUCH);
    warning.textContent = tooLarge
      ? `One array of ${formatBytes(largestArray)} is more than this adapter holds (${formatBytes(Math.min(limit.binding, limit.buffer))}): lower the batch size, the sequence length or the hidden size.`
      : 'That may be more than this device has: lower the batch size, the sequence length or the hidden size.';
  }
}

function presetRow(form: SettingsForm): HTMLElement {
  const buttons = PRESETS.map(({ name, about, settings }) =>
    create(
      'button',
      { type: 'button', class: 'chip', title: about, onclick: () => form.choose(settings) },
      name,
    ),
  );
  return create('div', { class: 'chips', role: 'group', 'aria-label': 'Presets' }, ...buttons);
}

function groupElement({ title, open, controls }: (typeof CONTROL_GROUPS)[number]): HTMLElement {
  return create(
    'details',
    { open },
    create('summary', {}, title),
    create('div', { class: 'controls' }, ...controls.map(fieldElement)),
  );
}

function fieldElement({ name, label, hint, papers = [], choices, min, max, step }: Control): HTMLElement {
  const hintId = `${name}-hint`;
  const field = choices
    ? create(
        'select',
        { id: name, 'aria-describedby': hintId },
        ...choices.map(([value, text]) => create('option', { value }, text)),
      )
    : create('input', {
        id: name,
        type: 'number',
        min,
        max,
        step: step ?? '1',
        inputmode: step === 'any' ? 'decimal' : 'numeric',
        'aria-describedby': hintId,
      });
  const links = papers.flatMap((paper) => [
    ' ',
    create('a', { href: paper.url, target: '_blank', rel: 'noreferrer' }, paper.name),
  ]);
  return create(
    'div',
    { class: 'field' },
    create('label', { for: name }, label),
    field,
    create('p', { id: hintId, class: 'hint' }, hint, ...links),
  );
}
