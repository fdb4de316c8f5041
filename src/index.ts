/** The public surface of webgpu-rnn: everything an application may import. */
// Errors
export {
  AbortError,
  ArgumentError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  FetchError,
  FormatError,
  LimitError,
  NonFiniteError,
  OutOfMemoryError,
  RnnError,
  ShaderError,
  ShapeError,
  TextError,
} from './graph/errors.js';
export type { ErrorParts } from './graph/errors.js';

// Graphs, plans and executors
export type {
  Executor,
  Feed,
  Feeds,
  ForeignBuffer,
  MemoryUsage,
  Plan,
  PlanStatistics,
  RunOptions,
  RunResult,
} from './graph/executor.js';
export { Graph } from './graph/graph.js';
export type { InputDeclaration, OutputDeclaration, UpdateDeclaration } from './graph/graph.js';
export { defineOperation, OPAQUE } from './graph/operation.js';
export type { GradientRule, Operation } from './graph/operation.js';
export { PlanCache } from './graph/plan-cache.js';
export type { PlanCacheOptions, PlanKey } from './graph/plan-cache.js';
export type { Shape } from './graph/shape.js';
export { Value, Variable } from './graph/value.js';
export type { DType, HostArray, Node, Source, ValueSpec, VariableOptions } from './graph/value.js';
export { createExecutor } from './create-executor.js';
export type { ExecutorOptions } from './create-executor.js';
export { selfTest } from './self-test.js';
export type { SelfTestOptions } from './self-test.js';
export { CpuExecutor } from './cpu/executor.js';
export type { CpuExecutorOptions } from './cpu/executor.js';
export { GpuExecutor } from './gpu/executor.js';
export type { CompileOptions } from './gpu/executor.js';
export type { RecoveryOptions } from './gpu/reopening.js';
export type { DeviceOptions, TuningMode, WeightPrecision } from './gpu/device.js';
export type { DeviceLike } from './gpu/device-types.js';
export type { ChoiceSite, Variant } from './gpu/lower/choice.js';
export type { GpuPlan } from './gpu/plan.js';
export type {
  SelfTestCheck,
  SelfTestProgress,
  SelfTestReport,
  SelfTestSettings,
} from './gpu/self-test/self-test.js';
export { indexedDbTuningStore, memoryTuningStore, textTuningStore } from './gpu/tuning/store.js';
export type { TuningStore } from './gpu/tuning/store.js';
export type { TuningReport } from './gpu/tuning/tuner.js';

// Operations
export {
  abs,
  add,
  broadcastTo,
  concat,
  correctTopK,
  div,
  drawTokens,
  dropout,
  embedding,
  exp,
  fill,
  globalNorm,
  gradients,
  linear,
  log,
  logSoftmax,
  matmul,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  pad,
  reciprocal,
  recurrent,
  relu,
  reshape,
  scan,
  sequenceMask,
  sigmoid,
  slice,
  softmax,
  softplus,
  sqrt,
  square,
  stack,
  stopGradient,
  sub,
  sum,
  sumTo,
  tanh,
  transpose,
  vectorJacobian,
} from './ops/index.js';
export type {
  ActivationName,
  CellName,
  Direction,
  MatmulAttributes,
  OptimizerRule,
  RecurrentAttributes,
  RecurrentInputs,
  RecurrentParameters,
  ReduceOptions,
  Sampler,
  ScanInputs,
  ScanStep,
  ScanStepResult,
} from './ops/index.js';

// Layers and losses
export { GRUCell, LSTMCell, RNNCell } from './nn/cells.js';
export type { CellOptions, GRUCellOptions, LSTMCellOptions, RNNCellOptions } from './nn/cells.js';
export { ModuleDict, Sequential } from './nn/containers.js';
export type { SequenceLayer, SequentialPart, UnaryLayer } from './nn/containers.js';
export { ForwardContext } from './nn/context.js';
export type { ForwardContextOptions } from './nn/context.js';
export { Dropout } from './nn/dropout.js';
export type { DropoutOptions } from './nn/dropout.js';
export { Embedding } from './nn/embedding.js';
export type { EmbeddingOptions } from './nn/embedding.js';
export type { Initializer, InitializerOption, InitializerSpec } from './nn/initializers.js';
export { Linear } from './nn/linear.js';
export type { LinearOptions } from './nn/linear.js';
export {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  ctcLoss,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  nllLoss,
} from './nn/losses.js';
export type {
  BinaryCrossEntropyOptions,
  CtcLossOptions,
  HuberOptions,
  PointwiseReduction,
} from './nn/losses.js';
export type { NllLossOptions, Reduction, SoftmaxCrossEntropyOptions } from './ops/softmax-cross-entropy.js';
export { accuracy, binaryAccuracy, bitsPerCharacter, perplexity, topKAccuracy } from './nn/metrics.js';
export type { AccuracyOptions, BinaryAccuracyOptions, TopKAccuracyOptions } from './nn/metrics.js';
export { Module } from './nn/module.js';
export type { StateMap, TensorData } from './nn/module.js';
export { Random } from './nn/random.js';
export { CarriedState, GRU, LSTM, RecurrentLayer, RNN } from './nn/recurrent.js';
export type { HiddenState, LSTMState, RecurrentResult, SequenceOptions } from './nn/recurrent.js';
export { RecurrentCell } from './nn/recurrent-cell.js';
export type {
  GRUOptions,
  LSTMOptions,
  MergeMode,
  RecurrentOptions,
  RNNOptions,
} from './nn/recurrent-options.js';

// Optimizers
export { Adadelta } from './optim/adadelta.js';
export type { AdadeltaOptions } from './optim/adadelta.js';
export { Adagrad } from './optim/adagrad.js';
export type { AdagradOptions } from './optim/adagrad.js';
export { Adam, AdamW } from './optim/adam.js';
export type { AdamOptions } from './optim/adam.js';
export { Adamax } from './optim/adamax.js';
export type { AdamaxOptions } from './optim/adamax.js';
export { Lion } from './optim/lion.js';
export type { LionOptions } from './optim/lion.js';
export { NAdam } from './optim/nadam.js';
export type { NAdamOptions } from './optim/nadam.js';
export { Optimizer, OptimizerState } from './optim/optimizer.js';
export type { OptimizerOptions, OptimizerScalars } from './optim/optimizer.js';
export type { ParameterGroup, ParameterMatch } from './optim/parameter-groups.js';
export { RMSprop } from './optim/rmsprop.js';
export type { RMSpropOptions } from './optim/rmsprop.js';
export {
  cosineSchedule,
  exponentialSchedule,
  oneCycleSchedule,
  ReduceOnPlateau,
  sequentialSchedule,
  stepSchedule,
  warmupSchedule,
} from './optim/schedules.js';
export type { AdaptiveSchedule, LearningRate, ReduceOnPlateauOptions, Schedule } from './optim/schedules.js';
export { SGD } from './optim/sgd.js';
export type { SGDOptions } from './optim/sgd.js';

// Training
export type { Dataset } from './train/dataset.js';
export type { EarlyStoppingOptions } from './train/early-stopping.js';
export { Model } from './train/model.js';
export type { Forward, Measure, Measurements, ModelOptions } from './train/model.js';
export type { BatchReport, FitCallbacks, FitHistory, ModelFitOptions } from './train/model-fit.js';
export { ExponentialMovingAverage } from './train/moving-average.js';
export type { ExponentialMovingAverageOptions } from './train/moving-average.js';
export type { StepRecord } from './train/pacer.js';
export { activityPenalty, weightPenalty } from './train/penalties.js';
export type { Penalty, WeightPenalty } from './train/penalties.js';
export type { RecoveredSteps } from './train/recovery.js';
export { Trainer } from './train/trainer.js';
export type {
  Batch,
  BatchInput,
  BatchSpec,
  EvaluationResult,
  Recorded,
  StepOptions,
  StepResult,
  TrainerOptions,
} from './train/trainer.js';

// Text
export { CharacterModel } from './text/character-model.js';
export type {
  CharacterModelOptions,
  FitOptions,
  GenerateBatchOptions,
  GenerateOptions,
  LoadOptions,
  PlanOptions,
  RestoreOptions,
} from './text/character-model.js';
export type { CharacterConfig } from './text/character-file.js';
export { CharacterNetwork } from './text/character-network.js';
export type { CharacterNetworkOptions, CharacterState } from './text/character-network.js';
export type { FitProgress, FitResult } from './text/character-training.js';
export { ctcBeamDecode, ctcGreedyDecode } from './text/ctc-decoding.js';
export type { CtcBeamOptions, CtcDecodeOptions, CtcHypothesis } from './text/ctc-decoding.js';
export { LaneBatches } from './text/lane-batches.js';
export type { LaneBatch, LaneOptions } from './text/lane-batches.js';
export { sampleToken } from './text/sampling.js';
export type { SamplingOptions } from './text/sampling.js';
export { CharacterTokenizer, decodeUtf8 } from './text/tokenizer.js';

// Files
export { parseSafetensors, writeSafetensors } from './io/safetensors.js';
export type { SafetensorsDType, SafetensorsFile, SafetensorsTensor } from './io/safetensors.js';
