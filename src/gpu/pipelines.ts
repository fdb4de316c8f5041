/** Pipelines by kernel: compiled asynchronously, once a device. */
import { ShaderError } from '../graph/errors.js';
import type { Kernel } from './kernels/kernel.js';
import { kernelName } from './lower/choice.js';
import { allDispatches, type Program } from './program.js';

/** A compiled kernel and the layout of its buffers. */
export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Bytes a dispatch's parameters may take: one step of dynamic offsets. */
export const PARAMETER_BYTES = 256;

/** Compiles kernels and keeps them. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<Kernel, Promise<CompiledKernel>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly parameterLayout: GPUBindGroupLayout;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.parameterLayout = device.createBindGroupLayout({
      label: 'parameters',
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAMETER_BYTES },
        },
      ],
    });
  }

  /** The compiled kernel; kernels asked for together compile side by side. */
  get(kernel: Kernel): Promise<CompiledKernel> {
    let compiled = this.#compiled.get(kernel);
    if (!compiled) {
      compiled = this.#compile(kernel);
      compiled.catch(() => this.#compiled.delete(kernel));
      this.#compiled.set(kernel, compiled);
    }
    return compiled;
  }

  /** All kernels of a program. */
  async getAll(program: Program): Promise<ReadonlyMap<Kernel, CompiledKernel>> {
    const kernels = new Set(allDispatches(program).map(({ kernel }) => kernel));
    return new Map(
      await Promise.all([...kernels].map(async (kernel) => [kernel, await this.get(kernel)] as const)),
    );
  }

  async #compile(kernel: Kernel): Promise<CompiledKernel> {
    const device = this.#device;
    const layout = this.#layoutOf(kernel);
    // What is wrong with the text is told by the compiler's own messages.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: kernel.name, code: kernel.code });
    void device.popErrorScope().catch(() => null);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label: kernel.name,
        layout: device.createPipelineLayout({
          label: kernel.name,
          bindGroupLayouts: [layout, this.parameterLayout],
        }),
        compute: { module, entryPoint: 'main' },
      });
      return { pipeline, layout };
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      throw new ShaderError({
        culprit: kernelName(kernel),
        problem: `did not compile: ${describeMessages(kernel, messages) || String(cause)}`,
        remedy: 'please report it with the name of the browser and the adapter',
        cause,
      });
    }
  }

  #layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const accesses = Object.values(kernel.bindings);
    const key = accesses.join(',');
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        label: key,
        entries: accesses.map((access, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

/** Errors that are told of one kernel. */
const MOST_MESSAGES = 3;
/** Characters of a line that are shown. */
const EXCERPT = 100;

/** A compiler's first errors, each with the file and line it lies in, and what stands there. */
function describeMessages(kernel: Kernel, messages: readonly GPUCompilationMessage[]): string {
  return messages
    .filter(({ type }) => type === 'error')
    .slice(0, MOST_MESSAGES)
    .map(({ lineNum, linePos, message }) => {
      let [line, part] = [lineNum, 0];
      const lines = kernel.parts.map(({ code }) => code.split('\n'));
      while (line > lines[part]!.length && part + 1 < lines.length) line -= lines[part++]!.length;
      // A line of a built shader may be all of it.
      const begin = Math.max(0, linePos - EXCERPT / 2);
      const text = lines[part]![line - 1]?.slice(begin, begin + EXCERPT).trim();
      return `${kernel.parts[part]!.file}:${line}:${linePos} ${message}${text ? ` in "${text}"` : ''}`;
    })
    .join('; ');
}
