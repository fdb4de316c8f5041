/** onnxruntime-web on WebGPU: a step of an LSTM as an ONNX model, its states staying on the device. */
import * as ort from 'onnxruntime-web/webgpu';
import type { Contender, CreateContender } from '../contender.js';
import { createGenerationWeights, PROMPT } from '../data.js';
import { createStepModel } from '../onnx-model.js';
import { FIRST_CHARACTERS, type GenerationWorkload } from '../workloads.js';

export const createContender: CreateContender = async (_backend, workload) => {
  if (workload.kind === 'generation') return createGeneration(workload);
  throw new Error(`onnxruntime-web does not do ${workload.name}`);
};

function createGeneration(workload: GenerationWorkload): Contender {
  const { hiddenSize, numLayers } = workload;
  ort.env.wasm.wasmPaths = '/bench/node_modules/onnxruntime-web/dist/';
  ort.env.wasm.numThreads = 1;
  let session: ort.InferenceSession | null = null;
  const names = Array.from({ length: numLayers }, (_, layer) => [`h${layer}`, `c${layer}`]).flat();

  async function begin(): Promise<number[]> {
    session = await ort.InferenceSession.create(
      createStepModel(createGenerationWeights(workload), workload),
      {
        executionProviders: ['webgpu'],
        preferredOutputLocation: Object.fromEntries(names.map((name) => [`new_${name}`, 'gpu-buffer'])),
      },
    );
    return run(FIRST_CHARACTERS);
  }

  async function run(length: number): Promise<number[]> {
    const zeros = (): ort.Tensor =>
      new ort.Tensor('float32', new Float32Array(hiddenSize), [1, 1, hiddenSize]);
    let states: Record<string, ort.Tensor> = Object.fromEntries(names.map((name) => [name, zeros()]));
    const tokens: number[] = [];
    let token = PROMPT;
    for (let index = 0; index < length; index++) {
      const fed = new ort.Tensor('int64', BigInt64Array.of(BigInt(token)), [1, 1]);
      const results = await session!.run({ token: fed, ...states });
      const logits = results['logits']!.data as Float32Array;
      token = logits.indexOf(Math.max(...logits));
      tokens.push(token);
      for (const state of Object.values(states)) state.dispose();
      states = Object.fromEntries(names.map((name) => [name, results[`new_${name}`]!]));
    }
    for (const state of Object.values(states)) state.dispose();
    return tokens.slice(0, FIRST_CHARACTERS);
  }

  return {
    begin,
    run,
    async dispose() {
      await session?.release();
    },
    get description() {
      return `onnxruntime-web ${ort.env.versions.web ?? ''} webgpu`;
    },
  };
}
