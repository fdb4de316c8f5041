/** The same seed gives the same losses to the bit: again, tuned beside the work, and across a save and resume. */
import { GpuExecutor } from '../../../src/gpu/executor.js';
import type { TuningStore } from '../../../src/gpu/tuning/store.js';
import type { GpuCase, GpuContext } from '../case.js';
import { STEPS, TRAININGS, type Outcome, type Training } from '../determinism.js';

const HALF = STEPS / 2;

/** Throws unless the losses and all that is saved are the same bits. */
function checkSame(actual: Outcome, losses: readonly number[], end: Uint8Array, what: string): void {
  const different = losses.findIndex((loss, i) => !Object.is(loss, actual.losses[i]));
  if (actual.losses.length !== losses.length || different >= 0) {
    throw new Error(
      `${what}: loss ${different} of ${losses.length} is ${actual.losses[different]} of ${actual.losses.length}, ` +
        `not ${losses[different]}`,
    );
  }
  const { checkpoint } = actual;
  if (checkpoint.length === end.length && checkpoint.every((byte, i) => byte === end[i])) return;
  throw new Error(`${what}: the last checkpoints differ`);
}

async function onOwnExecutor(
  { executor: { device } }: GpuContext,
  tuningStore: TuningStore,
  run: (executor: GpuExecutor) => Promise<Outcome>,
): Promise<Outcome> {
  const executor = await GpuExecutor.create({ device, tuning: 'background', tuningStore, tuningBudget: 5 });
  try {
    const outcome = await run(executor);
    await executor.tuned();
    return outcome;
  } finally {
    executor.dispose();
  }
}

/** A store in which an earlier session has found that sums in another order are the fastest everywhere. */
function otherOrders(executor: GpuExecutor): { readonly store: TuningStore; readonly names: Set<string> } {
  const decisions: Record<string, string> = {};
  const names = new Set<string>();
  const compile = executor.compile.bind(executor);
  executor.compile = async (...of) => {
    const plan = await compile(...of);
    for (const { id, chosen, variants } of plan.choices) {
      const order = variants.find(({ name }) => name === chosen)!.orderClass;
      const other = variants.find(({ orderClass }) => orderClass !== order);
      if (!other) continue;
      decisions[id] = other.name;
      names.add(other.name);
    }
    return plan;
  };
  const store: TuningStore = {
    get: () => Promise.resolve(JSON.stringify(decisions)),
    set: () => Promise.resolve(),
  };
  return { store, names };
}

const determinismCase = ({ name, run }: Training): GpuCase => ({
  name: `${name}: the same bits over ${STEPS} steps, again, tuned, and resumed`,
  async run(context) {
    const first = await GpuExecutor.create({ device: context.executor.device });
    const { store, names } = otherOrders(first);
    const whole = await run(first, STEPS, null);
    first.dispose();
    const { losses, checkpoint } = whole;
    if (losses.length !== STEPS || !losses.every(Number.isFinite)) {
      throw new Error(`${losses.length} losses: ${losses.join()}`);
    }
    console.info(
      `losses, ${name}: the last is ${losses.at(-1)!}, their sum ${losses.reduce((a, b) => a + b)}`,
    );
    if (names.size === 0)
      throw new Error('no kernel has a variant of another order: the store proves nothing');
    checkSame(
      await onOwnExecutor(context, store, (executor) => run(executor, STEPS, null)),
      losses,
      checkpoint,
      'again, where an earlier session has tuned',
    );
    const part = await run(context.executor, HALF, null);
    if (part.steps < HALF || part.steps >= STEPS) throw new Error(`interrupted after ${part.steps} steps`);
    checkSame(
      await onOwnExecutor(context, store, (executor) => run(executor, STEPS, part.checkpoint)),
      losses.slice(part.steps),
      checkpoint,
      `resumed after ${part.steps} steps`,
    );
  },
});

export const cases: readonly GpuCase[] = TRAININGS.map(determinismCase);
