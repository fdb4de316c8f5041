/** WebGPU's types where the application has them, a structural stand-in where it has not. */

/** As much of a `GPUDevice` as a declaration needs to show. */
export interface DeviceShape {
  readonly limits: unknown;
  readonly queue: unknown;
  destroy(): unknown;
}

/**
 * `GPUDevice` for applications that have WebGPU's types, from TypeScript's own library or from
 * `@webgpu/types`; a small structural type for those that have not.
 */
export type DeviceLike = typeof globalThis extends { GPUDevice: { prototype: infer D } } ? D : DeviceShape;
