/** The peers by the names that one asks for, and which of them does what. */
import type { Workload } from './workloads.js';

/** A peer, as far as choosing it needs. */
export interface EntrantDescription {
  /** `page`: a module of `peers/` in the browser; `python`: a process of its own. */
  readonly where: 'page' | 'python';
  readonly module: string;
  readonly backend: string;
  readonly kinds: readonly Workload['kind'][];
  /** Minutes a step of large workloads on software adapters: there only by name. */
  readonly slow: boolean;
}

const TRAINING = ['training'] as const;
const TORCH = ['training', 'ctc'] as const;

/** Peers by name. */
export const ENTRANTS: Readonly<Record<string, EntrantDescription>> = {
  'tfjs-webgpu': {
    where: 'page',
    module: 'tfjs',
    backend: 'webgpu',
    kinds: ['training', 'generation'],
    slow: true,
  },
  'tfjs-wasm': {
    where: 'page',
    module: 'tfjs',
    backend: 'wasm',
    kinds: ['training', 'generation'],
    slow: false,
  },
  'jax-webgpu': { where: 'page', module: 'jax', backend: 'webgpu', kinds: TRAINING, slow: true },
  'jax-wasm': { where: 'page', module: 'jax', backend: 'wasm', kinds: TRAINING, slow: false },
  'ort-webgpu': { where: 'page', module: 'onnx', backend: 'webgpu', kinds: ['generation'], slow: false },
  'torch-cpu': { where: 'python', module: 'torch', backend: 'cpu', kinds: TORCH, slow: false },
  'torch-cuda': { where: 'python', module: 'torch', backend: 'cuda', kinds: TORCH, slow: false },
  'torch-cuda-tf32': { where: 'python', module: 'torch', backend: 'cuda-tf32', kinds: TORCH, slow: false },
  'own-cpu': { where: 'page', module: 'own', backend: 'own-cpu', kinds: TRAINING, slow: true },
  'text-generator': {
    where: 'page',
    module: 'own',
    backend: 'text-generator',
    kinds: ['generation'],
    slow: false,
  },
  'plain-tile': { where: 'page', module: 'own', backend: 'plain-tile', kinds: ['product'], slow: false },
};

/** Which of the chosen peers can do a workload. */
export function peersFor(
  workload: Workload,
  { peers, software }: { readonly peers: readonly string[] | null; readonly software: boolean },
): string[] {
  return Object.entries(ENTRANTS)
    .filter(([name, { kinds, slow }]) => {
      if (!kinds.includes(workload.kind)) return false;
      if (peers !== null) return peers.includes(name);
      return !(slow && software && workload.large);
    })
    .map(([name]) => name);
}
