/** A kernel as data: its composed WGSL, what it binds and which parameters each dispatch gives it. */

/** How a kernel uses a buffer. */
export type Access = 'read' | 'read_write';

/** Types of parameter fields, as in the kernel's WGSL `struct Params`. */
export type ParameterType = 'u32' | 'f32' | 'vec2u' | 'vec2f' | 'vec4u';

/** Buffers by name, in the order of their bindings. */
export type Bindings = Readonly<Record<string, Access>>;

/** Parameter fields by name, in the order of the struct. */
export type Parameters = Readonly<Record<string, ParameterType>>;

/** One compute kernel: a WGSL file joined with the libraries it calls. */
export interface Kernel<B extends Bindings = Bindings, P extends Parameters = Parameters> {
  readonly name: string;
  /** File under `shaders/`, for messages. */
  readonly file: string;
  /** That file and the libraries behind it. */
  readonly parts: readonly ShaderLibrary[];
  /** Directives, then the texts of all parts, joined by line feeds. */
  readonly code: string;
  readonly bindings: B;
  readonly parameters: P;
}

/**
 * For kernels whose invocations load for one another, in fours. Those of four run the same way, which compilers cannot
 * see where it depends on the invocation's number.
 */
export const TOGETHER_DIRECTIVES = 'enable subgroups; diagnostic(off, subgroup_uniformity); ';

/** What a dispatch passes for the parameters of a kernel. */
export type ParameterValues<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends 'u32' | 'f32' ? number | boolean : readonly number[];
};

/** A file under `shaders/`. */
export interface ShaderLibrary {
  readonly file: string;
  readonly code: string;
}

/** Joins a kernel's file with its libraries; they come after it, so that line numbers are the file's own. */
/* @__NO_SIDE_EFFECTS__ */
export function defineKernel<const B extends Bindings, const P extends Parameters>(description: {
  readonly name: string;
  readonly file: string;
  readonly code: string;
  readonly libraries?: readonly ShaderLibrary[];
  /** What WGSL wants before everything else, without a line feed. */
  readonly directives?: string;
  readonly bindings: B;
  readonly parameters: P;
}): Kernel<B, P> {
  const { libraries = [], directives = '', ...kernel } = description;
  const parts = [kernel, ...libraries];
  return { ...kernel, parts, code: directives + parts.map(({ code }) => code).join('\n') };
}

const SIZES: Readonly<Record<ParameterType, number>> = {
  u32: 4,
  f32: 4,
  vec2u: 8,
  vec2f: 8,
  vec4u: 16,
};

/** Writes a kernel's parameters at `offset`, laid out as WGSL lays out a uniform struct. */
export function writeParameters<P extends Parameters>(
  kernel: Kernel<Bindings, P>,
  values: ParameterValues<P>,
  target: DataView,
  offset: number,
): void {
  let at = offset;
  for (const [name, type] of Object.entries(kernel.parameters)) {
    const value = values[name as keyof P];
    at = Math.ceil(at / SIZES[type]) * SIZES[type];
    if (type === 'f32') target.setFloat32(at, Number(value), true);
    else if (type === 'u32') target.setUint32(at, Number(value), true);
    else {
      (value as readonly number[]).forEach((item, i) => {
        if (type === 'vec2f') target.setFloat32(at + 4 * i, item, true);
        else target.setUint32(at + 4 * i, item, true);
      });
    }
    at += SIZES[type];
  }
}

/** Largest number of workgroups in one dimension that every adapter offers. */
export const MAX_WORKGROUPS = 65_535;

/** Workgroups for `count` items at `perWorkgroup` each, folded into two dimensions where one is too short. */
export function foldWorkgroups(count: number, perWorkgroup: number): readonly [number, number, number] {
  const workgroups = Math.max(1, Math.ceil(count / perWorkgroup));
  if (workgroups <= MAX_WORKGROUPS) return [workgroups, 1, 1];
  const y = Math.ceil(workgroups / MAX_WORKGROUPS);
  return [Math.ceil(workgroups / y), y, 1];
}
