/** Compiles every kernel with Tint, as it is and as builds minify it, and checks what the catalogue of kernels says against the shaders. */
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { create, globals } from 'webgpu';
import { KERNELS } from '../src/gpu/kernels/index.js';
import { createRenames, minifyWgsl } from './minify-wgsl.js';

/** What the lint needs of a kernel. */
export interface KernelSource {
  readonly name: string;
  /** Under `shaders/`; the code begins with this file's text, and those of its libraries follow. */
  readonly file: string;
  readonly code: string;
  readonly bindings: Readonly<Record<string, 'read' | 'read_write'>>;
  readonly parameters: Readonly<Record<string, string>>;
}

// The null backend compiles and validates with no driver at all. Held here for the life of the
// process: Dawn aborts once it is collected.
Object.assign(globalThis, globals);
const gpu = create(['backend=null']);

/**
 * Lints kernels against the shader files by name.
 * @returns one message a fault, `file:line:column message` where a place is known
 */
export async function lintShaders(
  kernels: readonly KernelSource[],
  files: ReadonlyMap<string, string>,
): Promise<string[]> {
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn gives no adapter for its null backend');
  const device = await adapter.requestDevice({ requiredFeatures: wanted(adapter) });
  const renames = createRenames(files.values());
  const faults: string[] = [];
  const used = new Set<string>();
  const names = new Set<string>();
  for (const kernel of kernels) {
    if (names.has(kernel.name)) faults.push(`kernel ${kernel.name}: the name is taken twice`);
    names.add(kernel.name);
    const parts = partsOf(kernel, files);
    for (const part of parts) used.add(part.file);
    if (parts[0]?.file !== kernel.file) {
      faults.push(`kernel ${kernel.name}: its code does not begin with the text of shaders/${kernel.file}`);
    }
    const compiled = await compile(device, kernel, parts);
    faults.push(...compiled, ...checkParameters(kernel));
    if (compiled.length > 0) continue;
    faults.push(...(await makePipeline(device, kernel)));
    const minified = { ...kernel, name: `${kernel.name}, minified`, code: minifyWgsl(kernel.code, renames) };
    faults.push(...(await compile(device, minified, [])));
  }
  for (const file of files.keys()) {
    if (!used.has(file)) faults.push(`shaders/${file}:1:1 no kernel uses this file`);
  }
  device.destroy();
  return [...new Set(faults)];
}

/** Every `.wgsl` file of a folder and its subfolders, by path within it. */
export async function readShaders(folder: string): Promise<Map<string, string>> {
  const paths = (await readdir(folder, { recursive: true })).map((path) => path.replaceAll('\\', '/'));
  const files = new Map<string, string>();
  for (const path of paths.filter((name) => name.endsWith('.wgsl')).sort()) {
    files.set(path, await readFile(`${folder}/${path}`, 'utf8'));
  }
  return files;
}

/** Optional features that shaders may enable, where this Dawn has them. */
function wanted(adapter: GPUAdapter): GPUFeatureName[] {
  return (['shader-f16', 'subgroups'] as const).filter((feature) => adapter.features.has(feature));
}

interface Part {
  readonly file: string;
  /** Line of the composed code at which the file begins, counted from 0. */
  readonly line: number;
}

/** The files that the code of a kernel is made of, in its order. */
function partsOf(kernel: KernelSource, files: ReadonlyMap<string, string>): Part[] {
  const parts: (Part & { readonly at: number })[] = [];
  for (const [file, text] of files) {
    const at = kernel.code.indexOf(text);
    if (at >= 0 && text) parts.push({ file, at, line: kernel.code.slice(0, at).split('\n').length - 1 });
  }
  return parts.sort((a, b) => a.at - b.at);
}

/** Compiles one kernel; a warning is a fault like an error. */
async function compile(device: GPUDevice, kernel: KernelSource, parts: readonly Part[]): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: kernel.name, code: kernel.code });
  const { messages } = await module.getCompilationInfo();
  const error = await device.popErrorScope();
  const faults = messages
    .filter(({ type }) => type !== 'info')
    .map(({ lineNum, linePos, message }) => {
      const part = parts.findLast(({ line }) => line < lineNum);
      return `shaders/${part?.file ?? kernel.file}:${lineNum - (part?.line ?? 0)}:${linePos} ${message} (kernel ${kernel.name})`;
    });
  if (faults.length === 0 && error) faults.push(`kernel ${kernel.name}: ${error.message}`);
  return faults;
}

/** Makes a pipeline with the layout that the catalogue promises: bindings and their access must fit. */
async function makePipeline(device: GPUDevice, kernel: KernelSource): Promise<string[]> {
  device.pushErrorScope('validation');
  const buffers = device.createBindGroupLayout({
    entries: Object.values(kernel.bindings).map((access, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
    })),
  });
  const parameters = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } },
    ],
  });
  device.createComputePipeline({
    label: kernel.name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [buffers, parameters] }),
    compute: { module: device.createShaderModule({ code: kernel.code }) },
  });
  const error = await device.popErrorScope();
  const faults = error ? [`shaders/${kernel.file}:1:1 ${error.message} (kernel ${kernel.name})`] : [];
  const declared = [...kernel.code.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<[^>]*>\s*(\w+)/g)]
    .sort((a, b) => Number(a[1]) - Number(b[1]))
    .map((match) => match[2]);
  const promised = Object.keys(kernel.bindings);
  if (declared.join() !== promised.join()) {
    faults.push(
      `shaders/${kernel.file}:1:1 binds ${declared.join(', ')}; kernel ${kernel.name} says ${promised.join(', ')}`,
    );
  }
  return faults;
}

/** `struct Params` must have the fields of the catalogue, in its order. */
function checkParameters(kernel: KernelSource): string[] {
  const body = /struct Params \{([^}]*)\}/.exec(kernel.code)?.[1] ?? '';
  const declared = [...body.replaceAll(/\/\/.*/g, '').matchAll(/(\w+)\s*:\s*(\w+)/g)].map(
    ([, name, type]) => `${name}: ${type}`,
  );
  const promised = Object.entries(kernel.parameters).map(([name, type]) => `${name}: ${type}`);
  return declared.join() === promised.join()
    ? []
    : [
        `shaders/${kernel.file}:1:1 Params is { ${declared.join(', ')} }; kernel ${kernel.name} says { ${promised.join(', ')} }`,
      ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await readShaders(fileURLToPath(new URL('../shaders', import.meta.url)));
  const faults = await lintShaders(KERNELS, files);
  for (const fault of faults) console.error(fault);
  console.log(`${KERNELS.length} kernels of ${files.size} shader files: ${faults.length} faults`);
  // Dawn keeps the process alive otherwise.
  process.exit(faults.length > 0 ? 1 : 0);
}
