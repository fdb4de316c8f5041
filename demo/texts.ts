/** Where the text to learn comes from. */
import { element } from './form.js';

/** A text as it is, in UTF-8, and how messages call it. */
export interface TextSource {
  readonly name: string;
  load(): Promise<ArrayBuffer>;
}

const SHAKESPEARE =
  'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt';

/** Shows the controls of the chosen source, now and whenever the choice changes. */
export function followSourceChoice(): void {
  const show = (): void => {
    const chosen = chosenSource();
    element('file-field', HTMLDivElement).hidden = chosen !== 'file';
    element('pasted-field', HTMLDivElement).hidden = chosen !== 'pasted';
  };
  for (const radio of radios()) radio.addEventListener('change', show);
  show();
}

/** The text that the page's controls name now. */
export function selectedText(): TextSource {
  switch (chosenSource()) {
    case 'shakespeare':
      return textAt(SHAKESPEARE, 'Tiny Shakespeare');
    case 'file': {
      const file = element('file', HTMLInputElement).files?.[0];
      if (!file) throw new Error('text: no file is chosen; choose one, or take another source');
      return { name: file.name, load: () => readFile(file) };
    }
    case 'pasted': {
      const { value } = element('pasted', HTMLTextAreaElement);
      return { name: 'pasted text', load: () => new Blob([value]).arrayBuffer() };
    }
    default:
      return {
        name: 'library source',
        load: async () => {
          const { librarySource } = await import('./library-source.js');
          return new Blob([librarySource]).arrayBuffer();
        },
      };
  }
}

/** A text to be fetched. */
export function textAt(url: string, name: string): TextSource {
  return {
    name,
    load: async () => {
      let response: Response;
      try {
        response = await fetch(url);
      } catch (cause) {
        throw new Error(`${name}: could not be fetched; check the connection, or take another text`, {
          cause,
        });
      }
      if (!response.ok) {
        throw new Error(`${name}: the server answered ${response.status}; take another text`);
      }
      return response.arrayBuffer();
    },
  };
}

/** The bytes of a file that a person chose. */
export async function readFile(file: File): Promise<ArrayBuffer> {
  try {
    return await file.arrayBuffer();
  } catch (cause) {
    throw new Error(`${file.name}: could not be read; choose it again, in case it has changed`, { cause });
  }
}

function radios(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>('input[name="source"]')];
}

function chosenSource(): string {
  return radios().find(({ checked }) => checked)?.value ?? 'library';
}
