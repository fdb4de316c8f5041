/** What README.md and CONTRIBUTING.md say is so: examples compile and run, options, numbers and paths are the real ones. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import ts from 'typescript';
import { createServer, createServerModuleRunner, type ViteDevServer } from 'vite';
import type { ModuleRunner } from 'vite/module-runner';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { usage } from '../../../demo/headless/options.js';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { dispatchesOf } from '../../../src/gpu/program.js';
import type { Graph } from '../../../src/graph/graph.js';
import * as library from '../../../src/index.js';
import { CharacterModel } from '../../../src/text/character-model.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const readme = read('README.md');

/** A block of TypeScript, under the path that it pretends to have. */
interface Example {
  readonly title: string;
  readonly path: string;
  readonly code: string;
  /** Whether it says of itself that it needs WebGPU. */
  readonly needsGpu: boolean;
}

const examples = [...readme.matchAll(/^```ts( gpu)?\n(.*?)^```$/gms)].map((match, index): Example => {
  const code = match[2]!;
  const heading = [...readme.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].at(-1)![1]!;
  return {
    title: `${index}, under “${heading}”`,
    path: `${root}readme-example-${index}.ts`,
    code,
    needsGpu: match[1] !== undefined,
  };
});

/** Makes an example quick. Each text must be there, so that what is run stays what is read. */
function shorten(code: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, to);
  }, code);
}

const CHARACTER_MODEL = {
  'hiddenSize: 128': 'hiddenSize: 8',
  'steps: 500': 'steps: 3',
  'length: 300': 'length: 20',
};

describe('examples', () => {
  let server: ViteDevServer;
  let runner: ModuleRunner;
  const codes = new Map<string, string>();

  beforeAll(async () => {
    server = await createServer({
      root,
      configFile: false,
      appType: 'custom',
      logLevel: 'error',
      server: { middlewareMode: true, hmr: false, ws: false, watch: null },
      optimizeDeps: { noDiscovery: true },
      plugins: [
        {
          name: 'readme-examples',
          enforce: 'pre',
          resolveId: (id) => (id === 'webgpu-rnn' ? `${root}src/index.ts` : codes.has(id) ? id : null),
          load: (id) => codes.get(id),
        },
      ],
    });
    runner = createServerModuleRunner(server.environments.ssr, { hmr: false });
  }, 30_000);
  afterAll(async () => {
    await runner.close();
    await server.close();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  /** Runs one as a module; gives what it prints, and asserts what its comments say it prints. */
  async function run({ path, code }: Example): Promise<unknown[][]> {
    const log = vi.spyOn(console, 'log').mockReturnValue(undefined);
    codes.set(path, code);
    await runner.import(path);
    const printed = log.mock.calls.map((values) => format(...values));
    let from = 0;
    for (const [, promised] of code.matchAll(/\/\/ prints: (.*)$/gm)) {
      expect(printed.slice(from)).toContain(promised);
      from = printed.indexOf(promised!, from) + 1;
    }
    return log.mock.calls;
  }

  it('are there, at each depth', () => {
    expect(examples.map(({ needsGpu }) => needsGpu)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  it('the character model trains, writes, saves and loads', async () => {
    const corpus = 'The quick brown fox jumps over the lazy dog.\n'.repeat(100);
    vi.stubGlobal('fetch', async () => new Response(corpus));
    const example = examples[0]!;
    const printed = await run({ ...example, code: shorten(example.code, CHARACTER_MODEL) });
    expect(printed.slice(0, 3).map(([step]) => step)).toEqual([1, 2, 3]);
    expect(printed[3]).toEqual([[{ step: 3, loss: expect.any(Number) as number }]]);
    expect(printed[4]![0]).toHaveLength(20);
  }, 30_000);

  it.each(examples.slice(1).filter(({ needsGpu }) => !needsGpu))(
    '$title runs, and prints what it says',
    async (example) => {
      expect(example.code).toContain('// prints: ');
      await run(example);
    },
    30_000,
  );

  it('compile for an application, against the library’s types', () => {
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)).config,
      ts.sys,
      root,
    );
    // An example may name what it does not use again.
    const settings = {
      ...options,
      noUnusedLocals: false,
      noUnusedParameters: false,
      paths: { 'webgpu-rnn': [`${root}src/index.ts`] },
    };
    const host = ts.createCompilerHost(settings);
    const texts = new Map(examples.map(({ path, code }) => [path, code]));
    host.fileExists = (path) => texts.has(path) || ts.sys.fileExists(path);
    host.readFile = (path) => texts.get(path) ?? ts.sys.readFile(path);
    host.getSourceFile = (path, target) => {
      const text = host.readFile(path);
      return text === undefined ? undefined : ts.createSourceFile(path, text, target);
    };
    const program = ts.createProgram([...texts.keys()], settings, host);
    const problems = examples.flatMap(({ path, title }) => {
      const file = program.getSourceFile(path)!;
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ start, messageText }) => {
          const line = file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
          return `example ${title}, line ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
        },
      );
    });
    expect(problems).toEqual([]);
  }, 60_000);
});

describe('numbers', () => {
  it('dispatches a step are those of the plans', async () => {
    const executor = new CpuExecutor({ precision: 'float32' });
    const graphs: Graph[] = [];
    const compile = executor.compile.bind(executor);
    vi.spyOn(executor, 'compile').mockImplementation((graph) => {
      graphs.push(graph);
      return compile(graph);
    });
    const model = CharacterModel.create({ executor, characters: 'abc', cell: 'lstm', hiddenSize: 128 });
    for (const training of [true, false]) await model.describe({ sequenceLength: 64, training });
    const prepared = await Promise.all(graphs.map(prepareGraph));
    const count = (software: boolean): number[] =>
      prepared.map((graph) => dispatchesOf(lowerGraph(graph, Infinity, { software }).program).length);
    const [train, validate] = count(true);
    const said =
      /is (\d+) dispatches, which is 2T \+ (\d+), and a validation step (\d+), which is T \+ (\d+)/;
    expect(said.exec(readme)?.slice(1).map(Number)).toEqual([
      train,
      train! - 2 * 64,
      validate,
      validate! - 64,
    ]);
    const onGpu = /one dispatch each way: (\d+) and (\d+) dispatches/;
    expect(onGpu.exec(readme)?.slice(1).map(Number)).toEqual(count(false));
    executor.dispose();
  });
});

describe('the textbook programs', () => {
  it('are those of the table', () => {
    const section = /^## Textbook programs\n(.*?)^## /ms.exec(readme)![1]!;
    const written = [...section.matchAll(/^\| `(.+?)`/gm)].map(([, name]) => name!);
    const main = read('demo/textbook/main.ts');
    const programs = /PROGRAMS[^{]*\{(.*?)^\};/ms.exec(main)![1]!;
    expect(written).toEqual([...programs.matchAll(/^ {2}'?([\w-]+)'?: \[/gm)].map(([, name]) => name!));
  });
});

describe('the command line', () => {
  it('has the options and defaults of the table', () => {
    const table = [...readme.matchAll(/^\| `(--.*?)`\s*\|(?: `(.*?)`)?\s*\|/gm)];
    const written = table.map(([, option, fallback]) => [option!.replaceAll('\\|', '|'), fallback ?? '']);
    const printed = [...usage().matchAll(/^ {2}(--\S+(?: [^ ]+)?) {2,}(.*)$/gm)];
    const real = printed.map(([, option, help]) => [option!, /\(([^()]*)\)$/.exec(help!)?.[1] ?? '']);
    expect(written).toEqual(real);
  });
});

/** Names of code that stand in the text, outside of examples and of columns for other frameworks. */
function namesIn(text: string): string[] {
  const ours = text
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/^\| [^|\n]+ \| Here .*?\n\n/gms, (table) => table.replaceAll(/^\|[^|\n]*\|/gm, ''));
  const spans = [...ours.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  return [...new Set(spans.filter((span) => /^[A-Za-z]{2,}$/.test(span) && /[a-z][A-Z]|^[A-Z]/.test(span)))];
}

/** The platform's names. */
const FOREIGN = ['GPUDevice', 'AbortSignal'];

describe('names', () => {
  it('of classes and functions are exported, those of options are in the source', () => {
    const names = namesIn(readme).filter((name) => !FOREIGN.includes(name));
    expect(names).toEqual(expect.arrayContaining(['LSTM', 'ctcLoss', 'ReduceOnPlateau', 'returnSequences']));
    const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => read(`src/${file}`))
      .join('\n');
    const entry = read('src/index.ts');
    const unknown = names.filter((name) => {
      const mentions = new RegExp(`\\b${name}\\b`);
      return !(name in library) && !mentions.test(/^[A-Z]/.test(name) ? entry : sources);
    });
    expect(unknown).toEqual([]);
  });
});

/** What the worked examples of CONTRIBUTING.md would add. */
const IMAGINED = /cube|ligru/;

describe.each(['README.md', 'CONTRIBUTING.md'])('%s', (file) => {
  const text = read(file);
  it('names files and folders that exist', () => {
    const spans = [...text.matchAll(/`([^`\n]+)`|\]\(([^)#\s]+)\)/g)].map(([, code, link]) => code ?? link!);
    const paths = spans.filter((span) =>
      /^(src|test|shaders|scripts|demo|\.ci)\/[\w./-]*$|^[A-Z]+\.md$/.test(span),
    );
    expect(paths).not.toEqual([]);
    const missing = paths.filter((path) => !existsSync(`${root}${path}`));
    expect(missing.filter((path) => !IMAGINED.test(path))).toEqual([]);
  });
  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
    expect(named).not.toEqual([]);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

it('CHANGELOG.md begins with the version of the package', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(/^## \[(.*?)\]/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version);
});
