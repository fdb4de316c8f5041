/** The models in the browser's storage: open, rename, remove. */
import { box, create } from '../frame/dom.js';
import { formatBytes, formatCount, formatLoss } from '../frame/format.js';
import type { KeptFacts } from './protocol.js';

/** What a person may do with a model in the list. */
export interface KeptActions {
  readonly open: (model: KeptFacts) => void;
  readonly rename: (model: KeptFacts, name: string) => void;
  readonly remove: (model: KeptFacts) => void;
  /** Hands over what is left of a damaged model. */
  readonly rescue: (model: KeptFacts) => void;
}

/** Shows the list. */
export function showKept(models: readonly KeptFacts[], actions: KeptActions): void {
  const items = models.map((model) => {
    if (model.damage !== null) return damagedItem(model, model.damage, actions);
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
        action('Open', name, () => actions.open(model)),
        action('Remove', name, () => actions.remove(model)),
      ),
    );
  });
  box('kept').replaceChildren(...items);
}

function damagedItem(model: KeptFacts, damage: string, actions: KeptActions): HTMLLIElement {
  const { name, savedAt } = model;
  return create(
    'li',
    {},
    create('span', { class: 'set-aside' }, `${name}, set aside`),
    create('span', { class: 'hint' }, `Damaged: ${damage}. Found ${when(savedAt)}.`),
    create(
      'span',
      { class: 'buttons' },
      ...(model.bytes > 0 ? [action('Download', name, () => actions.rescue(model))] : []),
      action('Remove', name, () => actions.remove(model)),
    ),
  );
}

function action(label: string, name: string, onclick: () => void): HTMLButtonElement {
  return create(
    'button',
    { type: 'button', class: 'small', 'aria-label': `${label} ${name}`, onclick },
    label,
  );
}

function when(time: number): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
