/** Where a plan's time goes: its steps timed kernel by kernel. */
import { groupSteps } from './describe.js';
import { StepEncoder, type BoundStep } from './encode.js';
import type { Program } from './program.js';
import { stepTraffic } from './traffic.js';

/** Time spent in the steps of one kernel and layer, see {@link GpuPlan.profile}. */
export interface ProfileEntry {
  /** `(copy)` for copies, `(packing)` for copies of weights made anew. */
  readonly kernel: string;
  /** Whose work it is. */
  readonly label: string;
  /** Dispatches or copies. */
  readonly count: number;
  readonly flops: number;
  /** Bytes read or written, estimated from what is bound: sequences once, weights at each dispatch. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** Steps in a row that are timed together: of one kernel, or copies. */
export interface ProfileGroup extends Omit<ProfileEntry, 'milliseconds'> {
  readonly steps: readonly BoundStep[];
}

/** What encoding needs. */
export interface ProfileTarget {
  readonly device: GPUDevice;
  readonly name: string;
  readonly parameters: GPUBindGroup;
}

/** As many groups as one query set holds, two timestamps each: WebGPU's limit is 4096. */
const MOST_GROUPS = 2048;

/** The steps of a program in groups, with their work. */
export function groupProgram(program: Program, steps: readonly BoundStep[]): ProfileGroup[] {
  const traffic = stepTraffic(program);
  return groupSteps(program).map(({ kernel, label, first, count, flops }) => ({
    kernel,
    label,
    count,
    flops,
    bytes: traffic.slice(first, first + count).reduce((sum, bytes) => sum + bytes, 0),
    steps: steps.slice(first, first + count),
  }));
}

/**
 * Runs the groups once, in order, and times each: on the device, by timestamps around a pass, where it was
 * opened with the feature `timestamp-query`; else by a submit a group, waited for, as the host sees it. What
 * is of one kernel and layer is added up.
 */
export async function profileGroups(
  target: ProfileTarget,
  groups: readonly ProfileGroup[],
): Promise<ProfileEntry[]> {
  const present = groups.filter(({ steps }) => steps.length > 0);
  const times: number[] = [];
  if (target.device.features.has('timestamp-query')) {
    for (let first = 0; first < present.length; first += MOST_GROUPS) {
      times.push(...(await timeOnDevice(target, present.slice(first, first + MOST_GROUPS))));
    }
  } else {
    for (const group of present) times.push(await timeFromHost(target, group));
  }
  return addUp(present, times);
}

/**
 * One submit with a pass a group. Browsers may round timestamps to 100 µs: a group of many dispatches is
 * known well, a short one only on average over several profiles.
 */
async function timeOnDevice(target: ProfileTarget, groups: readonly ProfileGroup[]): Promise<number[]> {
  const { device, name } = target;
  const label = `profile of ${name}`;
  const size = groups.length * 16;
  const querySet = device.createQuerySet({ label, type: 'timestamp', count: groups.length * 2 });
  const resolved = device.createBuffer({
    label,
    size,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    label,
    size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = device.createCommandEncoder({ label });
    groups.forEach(({ steps }, index) => {
      const begin = { querySet, beginningOfPassWriteIndex: 2 * index };
      const end = { querySet, endOfPassWriteIndex: 2 * index + 1 };
      if ('dispatch' in steps[0]!) {
        encodeAll(encoder, target, steps, { timestampWrites: { ...begin, ...end } });
      } else {
        // Copies lie outside passes: an empty pass on either side tells the time.
        encoder.beginComputePass({ timestampWrites: begin }).end();
        encodeAll(encoder, target, steps);
        encoder.beginComputePass({ timestampWrites: end }).end();
      }
    });
    encoder.resolveQuerySet(querySet, 0, groups.length * 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigInt64Array(staging.getMappedRange());
    // Clocks may step back; nothing takes less than no time.
    return groups.map((_, index) => Math.max(0, Number(stamps[2 * index + 1]! - stamps[2 * index]!) / 1e6));
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
}

/** A submit of its own, waited for; its cost of some hundredths of a millisecond is in the figure. */
async function timeFromHost(target: ProfileTarget, { steps }: ProfileGroup): Promise<number> {
  const { device, name } = target;
  const encoder = device.createCommandEncoder({ label: `profile of ${name}` });
  encodeAll(encoder, target, steps);
  await device.queue.onSubmittedWorkDone();
  const begin = performance.now();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return performance.now() - begin;
}

function encodeAll(
  encoder: GPUCommandEncoder,
  { parameters }: ProfileTarget,
  steps: readonly BoundStep[],
  passes?: GPUComputePassDescriptor,
): void {
  const encoding = new StepEncoder(encoder, parameters, passes);
  encoding.encode(steps);
  encoding.end();
}

function addUp(groups: readonly ProfileGroup[], times: readonly number[]): ProfileEntry[] {
  const entries = new Map<string, ProfileEntry>();
  groups.forEach(({ kernel, label, count, flops, bytes }, index) => {
    const key = `${kernel}|${label}`;
    const so = entries.get(key);
    entries.set(key, {
      kernel,
      label,
      count: count + (so?.count ?? 0),
      flops: flops + (so?.flops ?? 0),
      bytes: bytes + (so?.bytes ?? 0),
      milliseconds: times[index]! + (so?.milliseconds ?? 0),
    });
  });
  return [...entries.values()];
}
