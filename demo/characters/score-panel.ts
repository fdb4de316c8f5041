/** How well the network answers questions of its task that it has never seen: each character right or wrong. */
import { box, create } from '../frame/dom.js';
import { formatCount } from '../frame/format.js';
import type { Score } from './protocol.js';

/** The panel; it is there only for tasks. */
export class ScorePanel {
  /** Shows the last of these scores. */
  begin(scores: readonly Score[]): void {
    const score = scores.at(-1);
    box('score').hidden = score === undefined;
    if (!score) return;
    const { step, exact, cases } = score;
    box('score-exact').textContent = `${Math.round(100 * exact)} %`;
    box('score-step').textContent =
      `of ${cases.length} unseen cases exactly right after step ${formatCount(step)}`;
    const best = scores.slice(-40).map((past) => {
      const bar = create('span', { title: `step ${past.step}: ${Math.round(100 * past.exact)} %` });
      bar.style.height = `${Math.max(2, 100 * past.exact)}%`;
      return bar;
    });
    box('score-past').replaceChildren(...best);
    box('score-cases').replaceChildren(...cases.map(caseElement));
  }
}

function caseElement({ question, answer, written }: Score['cases'][number]): HTMLElement {
  const length = Math.max(answer.length, written.length);
  const characters = Array.from({ length }, (_, index) => {
    const character = written[index];
    const right = character === answer[index];
    // Colour is not all there is: what is wrong is struck through too, and what is missing underlined.
    const kind = right ? 'right' : character === undefined ? 'missing' : 'wrong';
    return create('span', { class: kind }, character ?? '·');
  });
  const whole = answer === written;
  return create(
    'li',
    {},
    create('span', { class: 'question' }, question),
    create('span', {}, ...characters),
    whole ? '' : create('span', { class: 'wanted' }, ` wanted ${answer === '' ? 'nothing' : answer}`),
  );
}
