/** The models in the browser's storage: open, rename, remove. */
import { box, create } from '../frame/dom.js';
import { formatBytes, formatCount, formatLoss } from '../frame/format.js';
import type { KeptFacts } from './protocol.js';

/** What a person may do with a model in the list. */
export interface KeptActions {
  readonly open: (model: KeptFacts) => void;
  readonly rename: (model: KeptFacts, name: string) => void;
  readonly remove: (model: KeptFacts) => void;
}

/** Shows the list. */
export function showKept(models: readonly KeptFacts[], actions: KeptActions): void {
  const items = models.map((model) => {
    const { name, step, steps, loss, bytes, savedAt } = model;
    const rename: EventListener = (event) => {
      const field = event.target as HTMLInputElement;
      const wanted = field.value.trim();
      if (wanted === '') field.value = name;
      else actions.rename(model, wanted);
    };
    return create(
      'li',
      {},
      create('input', {
        type: 'text',
        class: 'name',
        value: name,
        'aria-label': `Name of ${name}`,
        onchange: rename,
      }),
      create(
        'span',
        { class: 'hint' },
        `step ${formatCount(step)} of ${formatCount(steps)}, loss ${formatLoss(loss)}, ${formatBytes(bytes)}, ${when(savedAt)}`,
      ),
      create(
        'span',
        { class: 'buttons' },
        create(
          'button',
          {
            type: 'button',
            class: 'small',
            'aria-label': `Open ${name}`,
            onclick: () => actions.open(model),
          },
          'Open',
        ),
        create(
          'button',
          {
            type: 'button',
            class: 'small',
            'aria-label': `Remove ${name}`,
            onclick: () => actions.remove(model),
          },
          'Remove',
        ),
      ),
    );
  });
  box('kept').replaceChildren(...items);
}

function when(time: number): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
