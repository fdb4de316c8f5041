/** The registry: which function computes which operation. */
import { ArgumentError } from '../graph/errors.js';
import type { Node } from '../graph/value.js';
import { binaryKernel, binaryMaskKernel } from './binary.js';
import { broadcastKernel } from './broadcast.js';
import { concatKernel } from './concat.js';
import { correctTopKKernel } from './correct-top-k.js';
import { ctcLossBackwardKernel, ctcLossKernel } from './ctc-loss.js';
import { dropoutKernel } from './dropout.js';
import { embeddingBackwardKernel, embeddingKernel } from './embedding.js';
import { fillKernel } from './fill.js';
import { generateKernel } from './generate.js';
import { globalNormKernel } from './global-norm.js';
import type { Kernel } from './kernel.js';
import { linearKernel } from './linear.js';
import { matmulKernel } from './matmul.js';
import { optimizerUpdateKernel } from './optimizer-update.js';
import { padKernel } from './pad.js';
import { pointwiseLossBackwardKernel, pointwiseLossKernel } from './pointwise-loss.js';
import { recurrentBackwardKernel, recurrentKernel } from './recurrent.js';
import { reduceSumKernel } from './reduce-sum.js';
import { reshapeKernel } from './reshape.js';
import { sampleTokenKernel } from './sample-token.js';
import { scanKernel } from './scan.js';
import { sequenceMaskKernel } from './sequence-mask.js';
import { sliceKernel } from './slice.js';
import { softmaxCrossEntropyBackwardKernel, softmaxCrossEntropyKernel } from './softmax-cross-entropy.js';
import { softmaxBackwardKernel, softmaxKernel } from './softmax.js';
import { stopGradientKernel } from './stop-gradient.js';
import { transposeKernel } from './transpose.js';
import { unaryBackwardKernel, unaryKernel } from './unary.js';

/** An entry is only ever called with nodes of its own operation, whose attributes have its type. */
/* @__NO_SIDE_EFFECTS__ */
function entry<A>(kernel: Kernel<A>): readonly [unknown, Kernel<never>] {
  return [kernel.operation, kernel as unknown as Kernel<never>];
}

const KERNELS = /* @__PURE__ */ new Map<unknown, Kernel<never>>([
  entry(binaryKernel),
  entry(binaryMaskKernel),
  entry(broadcastKernel),
  entry(concatKernel),
  entry(correctTopKKernel),
  entry(ctcLossKernel),
  entry(ctcLossBackwardKernel),
  entry(dropoutKernel),
  entry(embeddingKernel),
  entry(embeddingBackwardKernel),
  entry(fillKernel),
  entry(generateKernel),
  entry(globalNormKernel),
  entry(linearKernel),
  entry(matmulKernel),
  entry(optimizerUpdateKernel),
  entry(padKernel),
  entry(pointwiseLossKernel),
  entry(pointwiseLossBackwardKernel),
  entry(recurrentKernel),
  entry(recurrentBackwardKernel),
  entry(reduceSumKernel),
  entry(reshapeKernel),
  entry(sampleTokenKernel),
  entry(scanKernel),
  entry(sequenceMaskKernel),
  entry(sliceKernel),
  entry(softmaxKernel),
  entry(softmaxBackwardKernel),
  entry(softmaxCrossEntropyKernel),
  entry(softmaxCrossEntropyBackwardKernel),
  entry(stopGradientKernel),
  entry(transposeKernel),
  entry(unaryKernel),
  entry(unaryBackwardKernel),
]);

/** The function of a node's operation. */
export function kernelOf<A>(node: Node<A>): Kernel<A> {
  const kernel = KERNELS.get(node.operation);
  if (kernel) return kernel as unknown as Kernel<A>;
  throw new ArgumentError({
    culprit: `operation ${node.operation.name}`,
    problem: 'has no function for the CPU',
    remedy: 'add one under src/cpu and list it in kernels.ts',
  });
}
