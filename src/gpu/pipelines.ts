/** Pipelines by kernel: compiled asynchronously, once a device. */
import { ShaderError } from '../graph/errors.js';
import type { Kernel } from './kernels/kernel.js';

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

  async #compile(kernel: Kernel): Promise<CompiledKernel> {
    const layout = this.#layoutOf(kernel);
    const module = this.#device.createShaderModule({ label: kernel.name, code: kernel.code });
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label: kernel.name,
        layout: this.#device.createPipelineLayout({
          label: kernel.name,
          bindGroupLayouts: [layout, this.parameterLayout],
        }),
        compute: { module, entryPoint: 'main' },
      });
      return { pipeline, layout };
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const errors = messages.filter(({ type }) => type === 'error');
      const lines = errors.map(
        ({ lineNum, linePos, message }) => `${kernel.file}:${lineNum}:${linePos} ${message}`,
      );
      throw new ShaderError({
        culprit: `kernel "${kernel.name}"`,
        problem: `did not compile: ${lines.join('; ') || String(cause)}`,
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
