/** PyTorch as an entrant: which Python has it, and what it is sent. */
import { spawnSync } from 'node:child_process';
import type { Entrant } from './contender.js';
import { createCtcData, createData, createWeights } from './data.js';
import { LineProcess } from './line-process.js';
import type { Workload } from './workloads.js';

/** A Python with PyTorch. */
export interface Torch {
  readonly python: string;
  readonly cuda: boolean;
}

/** The first Python here that has PyTorch: what the environment variable `PYTHON` names, or the usual ones. */
export function findTorch(): Torch | null {
  const given = process.env['PYTHON'];
  for (const python of given ? [given] : ['python3', '/usr/bin/python3', 'python']) {
    const script = 'import torch; print("torch", torch.cuda.is_available())';
    const { output } = spawnSync(python, ['-c', script], { encoding: 'utf8', timeout: 60_000 });
    // A program that does not exist has no output at all.
    const found = /torch (True|False)/.exec(String(output));
    if (found) return { python, cuda: found[1] === 'True' };
  }
  return null;
}

/** PyTorch on `cpu`, `cuda` or `cuda-tf32`. */
export function createTorch(torch: Torch, name: string, backend: string, folder: string): Entrant {
  return new LineProcess({
    name,
    command: torch.python,
    args: [`${folder}peers/torch_peer.py`, backend],
    cwd: folder,
    begin: (workload) => ({ data: encode(workload) }),
  });
}

function encode(workload: Workload): unknown {
  if (workload.kind === 'training') {
    const { tokens, targets, features } = createData(workload);
    const weights = [...createWeights(workload)].map(([name, { shape, data }]) => [
      name,
      { shape, data: base64(data) },
    ]);
    return {
      tokens: base64(tokens),
      targets: base64(targets),
      features: base64(features),
      weights: Object.fromEntries(weights) as unknown,
    };
  }
  if (workload.kind !== 'ctc') throw new Error(`PyTorch does not do ${workload.name}`);
  return Object.fromEntries(
    Object.entries(createCtcData(workload)).map(([name, numbers]) => [name, base64(numbers)]),
  );
}

function base64({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64');
}
