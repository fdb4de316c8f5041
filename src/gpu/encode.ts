/** Steps with everything bound, and their encoding. */

/** A dispatch with everything bound. */
export interface BoundDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly buffers: GPUBindGroup;
  /** A list, because that is what encoding takes: made once, not at each run. */
  readonly parameterOffset: readonly [number];
  readonly workgroups: readonly [number, number, number];
}

/** A copy between buffers, outside passes. */
export interface BoundCopy {
  readonly from: GPUBuffer;
  readonly fromOffset: number;
  readonly to: GPUBuffer;
  readonly toOffset: number;
  readonly bytes: number;
}

/** What a pass boundary separates: dispatches of one pass, or one copy. */
export type BoundStep = { readonly dispatch: BoundDispatch } | { readonly copy: BoundCopy };

/** Encodes steps into a command encoder: dispatches in one pass as far as no copy comes between. */
export class StepEncoder {
  readonly #encoder: GPUCommandEncoder;
  readonly #parameters: GPUBindGroup;
  readonly #passes: GPUComputePassDescriptor | undefined;
  #pass: GPUComputePassEncoder | null = null;
  #pipeline: GPUComputePipeline | null = null;
  #group: GPUBindGroup | null = null;

  /**
   * @param parameters the parameters of all dispatches, bound with an offset
   * @param passes describes every pass
   */
  constructor(encoder: GPUCommandEncoder, parameters: GPUBindGroup, passes?: GPUComputePassDescriptor) {
    this.#encoder = encoder;
    this.#parameters = parameters;
    this.#passes = passes;
  }

  /** Encodes the steps from `first` up to but not including `end`, in order. */
  encode(steps: readonly BoundStep[], first = 0, end = steps.length): void {
    for (let index = first; index < end; index++) {
      const step = steps[index]!;
      if ('dispatch' in step) {
        this.#dispatch(step.dispatch);
        continue;
      }
      this.end();
      const { from, fromOffset, to, toOffset, bytes } = step.copy;
      this.#encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
    }
  }

  /** Ends the pass that is open, if one is. */
  end(): void {
    this.#pass?.end();
    this.#pass = null;
    this.#pipeline = null;
    this.#group = null;
  }

  #dispatch({ pipeline, buffers, parameterOffset, workgroups }: BoundDispatch): void {
    const pass = (this.#pass ??= this.#encoder.beginComputePass(this.#passes));
    if (this.#pipeline !== pipeline) pass.setPipeline((this.#pipeline = pipeline));
    if (this.#group !== buffers) pass.setBindGroup(0, (this.#group = buffers));
    pass.setBindGroup(1, this.#parameters, parameterOffset);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  }
}
