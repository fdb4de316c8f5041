/** The view into the network: each character of a text in the colour of a hidden unit, and what was expected next. */
import { box, create, element, input, messageOf } from '../frame/dom.js';
import type { WorkerClient } from '../frame/worker-client.js';
import type { CharacterCalls, Inspection, WorkerEvent } from './protocol.js';

/** Signs for characters that one does not see. */
const SIGNS: Readonly<Record<string, string>> = { '\n': '↵', ' ': '␣', '\t': '⇥' };
/** A character's colour at an activation of 1 is this opaque: the text stays legible. */
const OPACITY = 0.5;

/** The panel. It looks into the network only while it is in sight. */
export class InsidePanel {
  readonly #client: WorkerClient<CharacterCalls, WorkerEvent>;
  readonly #text = box('inside-text');
  readonly #map = element('unit-map', HTMLCanvasElement);
  readonly #unit = input('unit');
  #sample = '';
  #wanted: string | null = null;
  #visible = false;
  #busy = false;
  #shown: Inspection | null = null;
  #spans: HTMLElement[] = [];
  #selected = -1;
  /** Whether a person has chosen the unit; else the most selective one is shown. */
  #chosen = false;

  constructor(client: WorkerClient<CharacterCalls, WorkerEvent>) {
    this.#client = client;
    new IntersectionObserver(([entry]) => {
      this.#visible = entry?.isIntersecting ?? false;
      this.#look();
    }).observe(box('inside'));
    this.#unit.addEventListener('input', () => {
      this.#chosen = true;
      this.#paint();
    });
    box('inside-source').addEventListener('change', () => this.#want());
    for (const event of ['pointerover', 'pointerdown'] as const) {
      this.#text.addEventListener(event, ({ target }) => {
        const index = this.#spans.indexOf(target as HTMLElement);
        if (index >= 0) this.#select(index);
      });
    }
    this.#text.addEventListener('keydown', (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (move === undefined || this.#spans.length === 0) return;
      event.preventDefault();
      this.#select(Math.min(this.#spans.length - 1, Math.max(0, this.#selected + move)));
    });
    this.#map.addEventListener('pointerdown', (event) => this.#pick(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      if (!this.#shown) return;
      this.#drawMap();
      this.#paint();
    });
  }

  /** Another sample is in sight, or the network has learned since. */
  look(sample: string): void {
    this.#sample = sample;
    this.#want();
  }

  /** There is no network to look into. */
  clear(): void {
    this.#wanted = null;
    this.#shown = null;
    this.#chosen = false;
    this.#spans = [];
    this.#text.replaceChildren();
    box('inside-body').hidden = true;
    box('inside-hint').hidden = false;
  }

  #want(): void {
    const own = element('inside-source', HTMLSelectElement).value === 'text';
    this.#wanted = own ? '' : this.#sample;
    if (!own && this.#sample === '') this.#wanted = null;
    this.#look();
  }

  #look(): void {
    if (this.#wanted === null || this.#busy || !this.#visible) return;
    const text = this.#wanted;
    this.#wanted = null;
    this.#busy = true;
    this.#client
      .call('inspect', text)
      .then((inspection) => this.#show(inspection))
      .catch((error: unknown) => {
        // The model may have been replaced meanwhile: then there is nothing to see, and no harm.
        box('inside-hint').textContent = messageOf(error);
      })
      .finally(() => {
        this.#busy = false;
        this.#look();
      });
  }

  #show(inspection: Inspection): void {
    this.#shown = inspection;
    const { characters, units, selective } = inspection;
    box('inside-hint').hidden = true;
    box('inside-body').hidden = false;
    this.#unit.max = String(units - 1);
    if (!this.#chosen) this.#unit.value = String(selective[0]?.unit ?? 0);
    this.#spans = characters.map((character) => create('span', {}, character));
    this.#text.replaceChildren(...this.#spans);
    const chips = selective.map(({ unit, what, correlation }) =>
      create(
        'button',
        {
          type: 'button',
          class: 'chip',
          title: `correlation ${correlation.toFixed(2)}`,
          onclick: () => {
            this.#chosen = true;
            this.#unit.value = String(unit);
            this.#paint();
          },
        },
        `${what} `,
        create('span', { class: 'hint' }, `unit ${unit}`),
      ),
    );
    box('selective').replaceChildren(
      ...(chips.length > 0 ? chips : ['No unit follows anything we could name yet: train for longer.']),
    );
    this.#drawMap();
    this.#paint();
    this.#select(Math.min(this.#selected < 0 ? 0 : this.#selected, this.#spans.length - 1));
  }

  /** Colours the text by the chosen unit. */
  #paint(): void {
    const shown = this.#shown;
    if (!shown) return;
    const unit = this.#unit.valueAsNumber;
    const [positive, negative] = colors();
    // A unit that moves little is shown as clearly as one that moves much; the scale says how much it is.
    let reach = 1e-6;
    for (let t = 0; t < this.#spans.length; t++) {
      reach = Math.max(reach, Math.abs(shown.hidden[t * shown.units + unit]!));
    }
    box('scale-low').textContent = `−${reach.toFixed(2)}`;
    box('scale-high').textContent = reach.toFixed(2);
    this.#spans.forEach((span, t) => {
      const value = shown.hidden[t * shown.units + unit]!;
      const alpha = (Math.abs(value) / reach) * OPACITY;
      span.style.backgroundColor = `rgb(${(value > 0 ? positive : negative).join(' ')} / ${alpha.toFixed(3)})`;
    });
    const known = shown.selective.filter((selective) => selective.unit === unit);
    const follows = known.map(
      ({ what, correlation }) => `${correlation < 0 ? 'low for' : 'high for'} ${what}`,
    );
    box('unit-value').textContent =
      `${unit} of ${shown.units}${follows.length > 0 ? `: ${follows.join(', ')}` : ''}`;
    const top = box('unit-mark');
    top.style.top = `${((unit + 0.5) / shown.units) * 100}%`;
  }

  /** All units over all characters, a row a unit. */
  #drawMap(): void {
    const { hidden, units, characters } = this.#shown!;
    const T = characters.length;
    this.#map.width = T;
    this.#map.height = units;
    const context = this.#map.getContext('2d');
    if (!context) return;
    const image = context.createImageData(T, units);
    const [positive, negative] = colors();
    for (let unit = 0; unit < units; unit++) {
      for (let t = 0; t < T; t++) {
        const value = hidden[t * units + unit]!;
        const at = 4 * (unit * T + t);
        image.data.set(value > 0 ? positive : negative, at);
        image.data[at + 3] = 255 * Math.min(1, Math.abs(value));
      }
    }
    context.putImageData(image, 0, 0);
  }

  #pick({ clientX, clientY }: PointerEvent): void {
    if (!this.#shown) return;
    const { left, top, width, height } = this.#map.getBoundingClientRect();
    const within = (at: number, size: number, count: number): number =>
      Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
    this.#chosen = true;
    this.#unit.value = String(within(clientY - top, height, this.#shown.units));
    this.#paint();
    this.#select(within(clientX - left, width, this.#spans.length));
  }

  /** Shows what the network expected after a character. */
  #select(index: number): void {
    const shown = this.#shown;
    if (!shown) return;
    this.#spans[this.#selected]?.classList.remove('selected');
    this.#selected = index;
    this.#spans[index]?.classList.add('selected');
    const next = shown.characters[index + 1];
    const bars = shown.expected[index]!.map(([character, probability]) => {
      const bar = create('span', { class: 'bar' });
      bar.style.width = `${(100 * probability).toFixed(1)}%`;
      return create(
        'li',
        { class: character === next ? 'came' : undefined },
        create('span', { class: 'sign' }, SIGNS[character] ?? character),
        create('span', { class: 'track' }, bar),
        create(
          'span',
          { class: 'percent' },
          `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)} %`,
        ),
      );
    });
    box('expected').replaceChildren(...bars);
    const before = shown.characters
      .slice(Math.max(0, index - 11), index + 1)
      .map((character) => (character === '\n' ? '↵' : character));
    box('expected-after').textContent = `${index > 11 ? '…' : ''}${before.join('').replace(/ $/, '␣')}`;
    box('unit-here').textContent = shown.hidden[index * shown.units + this.#unit.valueAsNumber]!.toFixed(2);
  }
}

/** The colours of 1 and −1, as red, green and blue. */
function colors(): readonly [readonly number[], readonly number[]] {
  const computed = getComputedStyle(document.documentElement);
  const parse = (name: string): number[] => {
    const hex = parseInt(computed.getPropertyValue(name).trim().slice(1), 16);
    return [hex >> 16, (hex >> 8) & 255, hex & 255];
  };
  return [parse('--training'), parse('--validation')];
}
