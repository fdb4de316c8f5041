/** Where the text comes from, and what was read: characters, vocabulary, how it begins. */
import { box, create, element, input } from '../frame/dom.js';
import { formatCount } from '../frame/format.js';
import type { TextFacts, TextSource } from './protocol.js';
import { TASK_LABELS as TASKS, type TaskName } from './task-labels.js';

const SHAKESPEARE =
  'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt';
/** So many characters of a vocabulary are shown. */
const SHOWN = 300;

/** Characters that one does not see, by a sign or a name for each. */
const SIGNS: Readonly<Record<string, string>> = { '\n': '↵', ' ': '␣', '\t': '⇥', '\r': '␍' };

/** The panel. */
export class TextPanel {
  #dropped: File | null = null;
  #onChoice: () => void = () => undefined;
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const choose = (): void => {
      this.#follow();
      this.#onChoice();
    };
    for (const radio of radios()) radio.addEventListener('change', choose);
    input('file').addEventListener('change', () => {
      this.#dropped = null;
      choose();
    });
    element('pasted', HTMLTextAreaElement).addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#onChoice(), 400);
    });
    const options = Object.entries(TASKS).map(([value, { name }]) => create('option', { value }, name));
    element('task', HTMLSelectElement).append(...options);
    box('task').addEventListener('change', choose);
    this.#follow();
  }

  /** Called when another text was chosen. */
  set onChoice(listener: () => void) {
    this.#onChoice = listener;
  }

  /** The name of the text that is chosen, for people. */
  get name(): string {
    if (!this.complete) return 'no text yet';
    const source = this.source();
    if (source.kind === 'task') return TASKS[source.task].name;
    return source.kind === 'library' ? 'library source' : source.name;
  }

  /** A file was dropped on the page. */
  drop(file: File): void {
    this.#dropped = file;
    for (const radio of radios()) radio.checked = radio.value === 'file';
    this.#follow();
    this.#onChoice();
  }

  /** Whether the chosen source has a text already. */
  get complete(): boolean {
    const chosen = chosenSource();
    if (chosen === 'file') return (this.#dropped ?? input('file').files?.[0]) !== undefined;
    return chosen !== 'pasted' || element('pasted', HTMLTextAreaElement).value !== '';
  }

  /** @throws Error where no file is chosen */
  source(): TextSource {
    switch (chosenSource()) {
      case 'shakespeare':
        return { kind: 'url', url: SHAKESPEARE, name: 'Tiny Shakespeare' };
      case 'file': {
        const file = this.#dropped ?? input('file').files?.[0];
        if (!file) throw new Error('text: no file is chosen; choose one, or take another text');
        return { kind: 'file', file, name: file.name };
      }
      case 'pasted': {
        const { value } = element('pasted', HTMLTextAreaElement);
        return { kind: 'file', file: new Blob([value]), name: 'pasted text' };
      }
      case 'task':
        return { kind: 'task', task: element('task', HTMLSelectElement).value as TaskName };
      default:
        return { kind: 'library' };
    }
  }

  /** Shows what was read. */
  show({ name, characters, vocabulary, preview }: TextFacts): void {
    box('text-facts').textContent =
      `${name}: ${formatCount(characters)} characters, ${formatCount(vocabulary.length)} different`;
    const begin = box('preview');
    begin.textContent = preview;
    begin.hidden = false;
    const shown = vocabulary.slice(0, SHOWN).map(([character, count]) => {
      const sign = SIGNS[character] ?? character;
      return create('span', { title: `${formatCount(count)} times` }, sign);
    });
    const more = vocabulary.length - shown.length;
    box('vocabulary').replaceChildren(...shown, ...(more > 0 ? [`and ${formatCount(more)} more`] : []));
    box('vocabulary-details').hidden = false;
  }

  /** There is nothing to show. */
  clear(message = ''): void {
    box('text-facts').textContent = message;
    box('preview').hidden = true;
    box('vocabulary-details').hidden = true;
  }

  #follow(): void {
    const chosen = chosenSource();
    box('file-field').hidden = chosen !== 'file';
    box('pasted-field').hidden = chosen !== 'pasted';
    box('task-field').hidden = chosen !== 'task';
    box('task-about').textContent = TASKS[element('task', HTMLSelectElement).value as TaskName].about;
  }
}

function radios(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>('input[name="source"]')];
}

function chosenSource(): string {
  return radios().find(({ checked }) => checked)?.value ?? 'library';
}
