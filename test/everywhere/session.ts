/** A runtime that has been started: what tests ask it to run. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Browser, Page } from 'puppeteer';
import type { Agent } from '../gpu/harness/agent.js';
import type { Constraint } from '../gpu/harness/constraints.js';
import type { Answer, Request } from './protocol.js';

/** The agent of another process or page. */
export interface Session extends Pick<Agent, 'describeAdapter' | 'run' | 'runGolden'> {
  kernels(constraint?: Constraint): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A page of a browser. */
export class PageSession implements Session {
  readonly #browser: Browser;
  readonly #page: Page;
  readonly #messages: string[] = [];

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.#page = page;
    page.on('console', (message) => this.#messages.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.#messages.push(`page error: ${String(error)}`));
  }

  /** Takes the browser over: it ends with the session. */
  static async open(browser: Browser, pagesUrl: string): Promise<PageSession> {
    const session = new PageSession(browser, await browser.newPage());
    await session.#page.goto(`${pagesUrl}test/gpu/harness/index.html?shares`);
    await session.#page
      .waitForFunction(() => window.gpuTests !== undefined, { timeout: 60_000 })
      .catch(async (cause: unknown) => {
        await browser.close();
        throw new Error(['the harness page did not load', ...session.#messages].join('\n'), { cause });
      });
    return session;
  }

  describeAdapter(): Promise<string> {
    return this.#page.evaluate(() => window.gpuTests!.describeAdapter());
  }

  run(...parameters: Parameters<Agent['run']>): Promise<string | null> {
    return this.#noting(this.#page.evaluate((...given) => window.gpuTests!.run(...given), ...parameters));
  }

  runGolden(...parameters: Parameters<Agent['runGolden']>): Promise<string | null> {
    return this.#noting(
      this.#page.evaluate((...given) => window.gpuTests!.runGolden(...given), ...parameters),
    );
  }

  kernels(constraint?: Constraint): Promise<readonly string[]> {
    return this.#page.evaluate((given) => window.gpuTests!.kernels(given), constraint);
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** What the page said meanwhile is kept for a failure. */
  async #noting(running: Promise<string | null>): Promise<string | null> {
    this.#messages.length = 0;
    const problem = await running;
    return problem === null ? null : [problem, ...this.#messages].join('\n');
  }
}

/** The program of `process-agent.ts` in a process of its own. */
export class ProcessSession implements Session {
  readonly #process: ChildProcessWithoutNullStreams;
  #complaints = '';
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
  #end: Error | null = null;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#process = spawn(command, args, { env, stdio: 'pipe' });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaints += text));
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      // Whatever else the runtime prints is a complaint.
      if (waiting && line.startsWith('{')) waiting.resolve(JSON.parse(line) as Answer);
      else {
        this.#waiting = waiting;
        this.#complaints += `${line}\n`;
      }
    });
    const end = (reason: string): void => {
      this.#end = new Error(`${command} ${reason}\n${this.#complaints}`);
      this.#waiting?.reject(this.#end);
    };
    this.#process.on('error', ({ message }) => end(`did not start: ${message}`));
    this.#process.on('close', (code, signal) => end(`ended with ${signal ?? `status ${String(code)}`}`));
  }

  async describeAdapter(): Promise<string> {
    return (await this.#call('describeAdapter', [])) as string;
  }

  async run(...parameters: Parameters<Agent['run']>): Promise<string | null> {
    return this.#explain(await this.#call('run', parameters as readonly string[]));
  }

  async runGolden(...parameters: Parameters<Agent['runGolden']>): Promise<string | null> {
    return this.#explain(await this.#call('runGolden', parameters as readonly string[]));
  }

  async kernels(constraint: Constraint = 'none'): Promise<readonly string[]> {
    return (await this.#call('kernels', [constraint])) as readonly string[];
  }

  async close(): Promise<void> {
    if (this.#end) return;
    const ended = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin.end();
    await ended;
  }

  async #call(method: Request['method'], parameters: readonly string[]): Promise<unknown> {
    if (this.#end) throw this.#end;
    this.#complaints = '';
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#process.stdin.write(`${JSON.stringify({ method, parameters } satisfies Request)}\n`);
    });
    if ('error' in answer) throw new Error([answer.error, this.#complaints].join('\n'));
    return answer.result;
  }

  /** What the process said meanwhile is kept for a failure. */
  #explain(problem: unknown): string | null {
    return typeof problem === 'string' ? [problem, this.#complaints].join('\n') : null;
  }
}
