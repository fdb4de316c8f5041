/** Node or Deno as the place of the race: each contender a process of its own; only ours and PyTorch run there. */
import { spawnSync } from 'node:child_process';
import { build } from 'vite';
import type { RaceRuntime } from './browser-runtime.js';
import { LineProcess } from './line-process.js';

/** Opens it, and asks for its adapter. */
export async function openProcessRuntime(kind: 'node' | 'deno', folder: string): Promise<RaceRuntime> {
  const [command, args] = kind === 'node' ? nodeCommand(folder) : await denoCommand(folder);
  const create = (name: string, backend: string): LineProcess =>
    new LineProcess({
      name,
      command,
      args,
      cwd: `${folder}..`,
      begin: () => ({ backend }),
    });
  const probe = create('probe', 'webgpu');
  const adapter = await probe.describe();
  await probe.dispose();
  const version =
    kind === 'node' ? process.version : spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout;
  return {
    description: `${kind === 'node' ? 'Node' : ''} ${version.split('\n')[0] ?? ''}`.trim(),
    adapter,
    software: /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(adapter),
    onlyOwn: true,
    entrant: (name, _module, backend) => create(name, backend),
    profile: () => Promise.reject(new Error('--profile runs in Chromium')),
    close: () => Promise.resolve(),
  };
}

function nodeCommand(folder: string): [string, string[]] {
  return [process.execPath, [`${folder}../scripts/run.mjs`, `${folder}own/process-node.ts`]];
}

/** Deno takes no `?raw` imports, so it gets one file with everything in it. */
async function denoCommand(folder: string): Promise<[string, string[]]> {
  await build({
    root: folder,
    configFile: false,
    logLevel: 'error',
    build: {
      outDir: 'out/deno',
      target: 'es2022',
      minify: false,
      lib: { entry: 'own/process-deno.ts', formats: ['es'], fileName: 'process' },
      rolldownOptions: { external: [/^node:/] },
    },
  });
  const installed = spawnSync('deno', ['--version']).status === 0;
  const run = ['run', '--unstable-webgpu', '-A', `${folder}out/deno/process.js`];
  return installed ? ['deno', run] : ['npx', ['--yes', 'deno', ...run]];
}
