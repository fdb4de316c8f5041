/** A contender in a process of its own that takes a command a line and answers with a line, both in JSON. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Entrant, Sample } from './contender.js';
import type { Workload } from './workloads.js';

/** How to start it, and what it needs to begin beside the workload. */
export interface LineProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** What belongs to the command `begin`. */
  readonly begin: (workload: Workload) => object;
}

/** Ended with the race. */
export class LineProcess implements Entrant {
  readonly name: string;
  readonly #options: LineProcessOptions;
  #process: ChildProcessWithoutNullStreams | null = null;
  #lines: Interface | null = null;
  #errors = '';

  constructor(options: LineProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  begin(workload: Workload): Promise<Sample> {
    this.#start();
    return this.#ask({ do: 'begin', units: 1, workload, ...this.#options.begin(workload) }, 1);
  }

  /** What it runs on, asked without a workload. */
  async describe(): Promise<string> {
    this.#start();
    return (await this.#ask({ do: 'describe', units: 0 }, 0)).description;
  }

  run(units: number): Promise<Sample> {
    return this.#ask({ do: 'run', units }, units);
  }

  async dispose(): Promise<void> {
    this.#lines?.close();
    this.#process?.kill();
    this.#process = null;
  }

  #start(): void {
    const { command, args, cwd } = this.#options;
    const started = spawn(command, args, { cwd, stdio: 'pipe' });
    this.#process = started;
    this.#lines = createInterface({ input: started.stdout });
    // A process that has ended takes no more input; that it has ended is known by `exit`.
    started.stdin.on('error', () => undefined);
    started.stderr.on('data', (text: Buffer) => {
      this.#errors = `${this.#errors}${text.toString()}`.slice(-2000);
    });
  }

  #ask(command: unknown, units: number): Promise<Sample> {
    const running = this.#process!;
    const lines = this.#lines!;
    return new Promise((resolve, reject) => {
      const fail = (error?: Error): void => {
        const said = this.#errors.trim().split('\n').at(-1);
        reject(
          new Error(`${this.name} ended: ${error?.message ?? (said === '' ? 'no reason given' : said)}`),
        );
      };
      const onExit = (): void => fail();
      running.once('exit', onExit);
      running.once('error', fail);
      lines.once('line', (line) => {
        running.off('exit', onExit);
        running.off('error', fail);
        resolve({ gpu: null, ...(JSON.parse(line) as Omit<Sample, 'units' | 'gpu'>), units });
      });
      running.stdin.write(`${JSON.stringify(command)}\n`);
    });
  }
}
