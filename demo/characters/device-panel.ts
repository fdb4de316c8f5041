/** The panel that checks whether the GPU computes right, and says what came of it in plain words. */
import type { SelfTestReport } from '../../src/index.js';
import { box, button, element } from '../frame/dom.js';
import type { WorkerClient } from '../frame/worker-client.js';
import type { CharacterCalls, WorkerEvent } from './protocol.js';

/** Offers the check, and shows its report. */
export class DevicePanel {
  readonly #client: WorkerClient<CharacterCalls, WorkerEvent>;

  /** @param attempt runs what a person asked for, and shows them what went wrong */
  constructor(
    client: WorkerClient<CharacterCalls, WorkerEvent>,
    attempt: (work: () => Promise<unknown>) => Promise<void>,
  ) {
    this.#client = client;
    button('check').addEventListener('click', () => void attempt(() => this.#check()));
  }

  /** Offers the check where there is a GPU to be checked. */
  show(backend: 'webgpu' | 'cpu'): void {
    button('check').disabled = backend === 'cpu';
    if (backend === 'cpu') box('check-status').textContent = 'There is no WebGPU here to be checked.';
  }

  async #check(): Promise<void> {
    const stop = new AbortController();
    const cancel = (): void => stop.abort();
    const [start, end, status] = [button('check'), button('stop-check'), box('check-status')];
    const progress = element('check-progress', HTMLProgressElement);
    start.disabled = true;
    end.hidden = progress.hidden = false;
    box('check-details').hidden = true;
    end.addEventListener('click', cancel);
    try {
      const onEvent = (event: WorkerEvent): void => {
        if (event.type !== 'checking') return;
        const { done, total, operation } = event;
        progress.value = done / total;
        status.textContent = `Checking${operation && ` ${operation}`}: ${done} of ${total} parts done.`;
      };
      const report = await this.#client.call('check', null, { onEvent, signal: stop.signal });
      status.textContent = inWords(report);
      box('check-list').textContent = inFull(report);
      box('check-details').hidden = false;
    } catch (error) {
      status.textContent = stop.signal.aborted ? 'The check was stopped.' : '';
      if (!stop.signal.aborted) throw error;
    } finally {
      end.removeEventListener('click', cancel);
      end.hidden = progress.hidden = true;
      start.disabled = false;
    }
  }
}

/** The report in a sentence or two. */
function inWords({ passed, counts, unusable, leftOut, milliseconds }: SelfTestReport): string {
  const all = counts.passed + counts.failed;
  const time = `in ${(milliseconds / 1000).toFixed(1)} s`;
  if (passed) return `This GPU computes right: ${all} checks passed ${time}.`;
  const failed = `This GPU computes wrong in ${counts.failed} of ${all} checks (${time}).`;
  const names = Object.keys(leftOut).join(', ');
  if (unusable.length > 0) {
    return `${failed} It cannot be used for ${unusable.join(', ')}: choose the CPU in the settings.`;
  }
  return `${failed} Other ways to compute the same take the place of what is wrong: ${names}.`;
}

/** One line a check, those that failed first. */
function inFull({ checks }: SelfTestReport): string {
  const lines = [...checks]
    .sort((a, b) => Number(a.passed) - Number(b.passed))
    .map(({ operation, variant, error, problem, milliseconds }) => {
      const outcome = problem ?? `right, error ${error.toExponential(1)}`;
      return `${operation}, by ${variant.replaceAll(/kernel "(\w+)"/g, '$1')}: ${outcome}, ${milliseconds.toFixed(0)} ms`;
    });
  return lines.join('\n');
}
