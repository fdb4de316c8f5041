/** `npm start -- --headless`: opens the demo page in a browser without a window and trains there. */
import { basename, resolve } from 'node:path';
import type { Browser, Page } from 'puppeteer';
import { launchBrowser } from '../../scripts/browser.js';
import { servePages } from '../../scripts/serve.js';
import { formatBytes, formatCount, formatDuration, formatLoss } from '../frame/format.js';
import type { Settings, TrainOutcome, WorkerEvent } from '../characters/protocol.js';
import { openExchange, type Exchange } from './exchange.js';
import { checkReadable, checkWritableFolder, writeFiles } from './files.js';
import { parseCommand, usage, UsageError, type Command } from './options.js';
import { Terminal } from './terminal.js';

/** Something the page says went wrong, in the page's own words. */
class PageError extends Error {
  override readonly name = 'PageError';
}

const INTERRUPTED = 130;

async function main(args: readonly string[]): Promise<number> {
  let command: Command | null;
  try {
    command = parseCommand(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (command === null) {
    process.stdout.write(usage());
    return 0;
  }
  try {
    return await run(command);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function run({ text, out, adapter, json, settings }: Command): Promise<number> {
  const textPath = fromWhereTheUserIs(text);
  const outPath = fromWhereTheUserIs(out);
  await checkReadable(textPath);
  await checkWritableFolder(outPath);
  const terminal = new Terminal(json ? process.stderr : process.stdout);

  const closers: (() => unknown)[] = [];
  const interrupt = new Interrupt();
  try {
    const exchange = await openExchange(textPath);
    closers.push(() => exchange.close());
    const server = await servePages();
    closers.push(() => server.close());
    const browser = await launchBrowser({ adapter });
    closers.push(() => browser.close());
    interrupt.browser = browser;
    const page = await openPage(browser, `${server.url}demo/index.html`);
    interrupt.onFirst(() => {
      terminal.print('Stopping at the next step boundary; press Ctrl-C again to quit at once.');
      void page.evaluate(() => window.demo?.stop()).catch(() => undefined);
    });
    const source = { name: basename(textPath), url: exchange.textUrl };
    const outcome = await train(page, source, settings, terminal);
    terminal.finish();
    if (outcome.steps === 0) {
      terminal.print('Stopped before the first step; nothing was written.');
      return INTERRUPTED;
    }
    await handOver(page, exchange);
    await writeFiles(outPath, {
      'model.safetensors': exchange.take('model.safetensors'),
      'loss.png': exchange.take('loss.png'),
      'history.json': historyJson(source.name, settings, outcome),
      'history.csv': historyCsv(outcome),
    });
    report(terminal, outcome, { out, modelBytes: exchange.take('model.safetensors').length });
    if (json) process.stdout.write(`${closingLine(outcome)}\n`);
    return outcome.stopped ? INTERRUPTED : 0;
  } finally {
    terminal.finish();
    // One that fails to close must not keep the others open.
    await Promise.allSettled(closers.reverse().map(async (close) => close()));
    interrupt.dispose();
  }
}

/** npm changes to the package's folder; the names that a person types are meant from where they are. */
function fromWhereTheUserIs(path: string): string {
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env;
  return script === 'start' && folder !== undefined ? resolve(folder, path) : resolve(path);
}

/** Ctrl-C: the first one asks for a stop, or quits where nothing is running yet; the second quits. */
class Interrupt {
  browser: Browser | null = null;
  #first: (() => void) | null = null;
  readonly #listener = (): void => {
    const first = this.#first;
    this.#first = null;
    if (first) {
      first();
      return;
    }
    this.browser?.process()?.kill('SIGKILL');
    process.exit(INTERRUPTED);
  };

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#listener);
  }

  onFirst(action: () => void): void {
    this.#first = action;
  }

  dispose(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#listener);
  }
}

async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(url);
  try {
    await page.waitForFunction(() => window.demo !== undefined, { timeout: 60_000 });
  } catch (cause) {
    throw new Error(`the demo page did not start: ${problems.join('; ') || 'it gave no reason'}`, { cause });
  }
  return page;
}

/** Trains in the page, telling the terminal. */
async function train(
  page: Page,
  source: { readonly name: string; readonly url: string },
  settings: Settings,
  terminal: Terminal,
): Promise<TrainOutcome> {
  await page.exposeFunction('tellTerminal', (event: WorkerEvent) => show(terminal, event));
  const result = await page.evaluate(
    async (text, chosen) => {
      const { tellTerminal } = window as unknown as { tellTerminal: (event: WorkerEvent) => Promise<void> };
      let told: Promise<unknown> = Promise.resolve();
      try {
        const outcome = await window.demo!.train(text, chosen, (event) => {
          told = Promise.all([told, tellTerminal(event)]);
        });
        await told;
        return { outcome };
      } catch (error) {
        return { failure: error instanceof Error ? error.message : String(error) };
      }
    },
    source,
    settings,
  );
  if (result.outcome) return result.outcome;
  throw new PageError(result.failure);
}

function show(terminal: Terminal, event: WorkerEvent): void {
  switch (event.type) {
    case 'ready': {
      const { kind, parameterCount, vocabularySize, adapter } = event.model;
      terminal.print(
        `${kind}, ${formatCount(parameterCount)} parameters, on ${adapter}\n` +
          `${formatCount(event.characters)} characters, ${vocabularySize} different`,
      );
      break;
    }
    case 'step':
      terminal.progress(event);
      break;
    case 'sample':
      terminal.print(`\n── sample after step ${event.step} ──\n${event.text}\n`);
      break;
    case 'written':
      break;
  }
}

/** Lets the page post its files to the exchange. */
async function handOver(page: Page, exchange: Exchange): Promise<void> {
  await page.evaluate(
    async (modelUrl, curveUrl) => {
      const { demo } = window;
      await fetch(modelUrl, { method: 'POST', body: await (await demo!.model()).arrayBuffer() });
      await fetch(curveUrl, { method: 'POST', body: await (await demo!.curve()).arrayBuffer() });
    },
    exchange.fileUrl('model.safetensors'),
    exchange.fileUrl('loss.png'),
  );
}

function report(
  terminal: Terminal,
  outcome: TrainOutcome,
  { out, modelBytes }: { readonly out: string; readonly modelBytes: number },
): void {
  const { stopped, steps, seconds, secondsToFirstStep, millisecondsPerStep, skippedUpdates } = outcome;
  terminal.print(
    [
      `${stopped ? 'Stopped' : 'Done'} after ${steps} steps in ${formatDuration(seconds)}: training loss ${formatLoss(lastLoss(outcome))}, validation loss ${formatLoss(validationLoss(outcome))}`,
      `First step after ${secondsToFirstStep.toFixed(1)} s, then ${millisecondsPerStep.toFixed(1)} ms a step, with ${outcome.dispatchesPerStep} dispatches and ${outcome.submitsPerStep} submit`,
      ...(skippedUpdates > 0
        ? [
            `${skippedUpdates} updates were skipped, because their gradients were not finite; try a lower --lr`,
          ]
        : []),
      `${out}/: model.safetensors (${formatBytes(modelBytes)}), loss.png, history.json, history.csv`,
    ].join('\n'),
  );
}

function lastLoss({ losses }: TrainOutcome): number | null {
  return losses[losses.length - 1] ?? null;
}

function validationLoss({ validation }: TrainOutcome): number | null {
  return validation[validation.length - 1]?.loss ?? null;
}

function closingLine(outcome: TrainOutcome): string {
  return JSON.stringify({
    steps: outcome.steps,
    trainLoss: lastLoss(outcome),
    valLoss: validationLoss(outcome),
    msPerStep: outcome.millisecondsPerStep,
    adapter: outcome.model.adapter,
    dispatchesPerStep: outcome.dispatchesPerStep,
    submitsPerStep: outcome.submitsPerStep,
    sample: outcome.sample,
  });
}

function historyJson(text: string, settings: Settings, outcome: TrainOutcome): string {
  return `${JSON.stringify({ text, settings, ...outcome }, null, 1)}\n`;
}

function historyCsv({ losses, validation }: TrainOutcome): string {
  const validated = new Map(validation.map(({ step, loss }) => [step, loss]));
  const rows = losses.map((loss, index) => `${index + 1},${loss},${validated.get(index + 1) ?? ''}`);
  return ['step,train_loss,validation_loss', ...rows, ''].join('\n');
}

process.exitCode = await main(process.argv.slice(2));
