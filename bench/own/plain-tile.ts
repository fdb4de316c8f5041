/** The yardstick of products: one plain kernel with a register tile of 16×8, and nothing around it. */
import type { Contender } from '../contender.js';
import { createFactors } from '../data.js';
import type { ProductWorkload } from '../workloads.js';
import code from './plain_tile.wgsl?raw';

/** Makes the contender. Its unit of work is `count` products, in one submit. */
export function createPlainTile(workload: ProductWorkload): Contender {
  const { m, k, n, count } = workload;
  let device: GPUDevice | null = null;
  let pipeline: GPUComputePipeline;
  let groups: GPUBindGroup[];
  let last: GPUBuffer;

  function createBuffer(data: Float32Array | Uint32Array | number, usage: number): GPUBuffer {
    const size = typeof data === 'number' ? data : data.byteLength;
    const buffer = device!.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST });
    if (typeof data !== 'number') device!.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    return buffer;
  }

  async function begin(): Promise<number[]> {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    device = await adapter!.requestDevice();
    const { left, right } = createFactors(workload);
    const module = device.createShaderModule({ code });
    pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    const b = createBuffer(right, GPUBufferUsage.STORAGE);
    const sizes = createBuffer(Uint32Array.of(m, k, n, 0), GPUBufferUsage.UNIFORM);
    groups = Array.from({ length: count }, () => {
      const a = createBuffer(left, GPUBufferUsage.STORAGE);
      last = createBuffer(m * n * 4, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
      return device!.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [a, b, last, sizes].map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
    });
    submit();
    const c = await read(last);
    return [c[0]!, c[n - 1]!, c[m * n - 1]!];
  }

  function submit(): void {
    const encoder = device!.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (const group of groups) {
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(n / 64), Math.ceil(m / 128));
    }
    pass.end();
    device!.queue.submit([encoder.finish()]);
  }

  async function read(buffer: GPUBuffer): Promise<Float32Array> {
    const staging = createBuffer(buffer.size, GPUBufferUsage.MAP_READ);
    const encoder = device!.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
    device!.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new Float32Array(staging.getMappedRange());
  }

  return {
    begin,
    async run(units) {
      for (let unit = 0; unit < units; unit++) submit();
      await device!.queue.onSubmittedWorkDone();
      return [];
    },
    async dispose() {
      device?.destroy();
    },
    description: 'a register tile of 16×8 an invocation, eight mat4x4f',
  };
}
