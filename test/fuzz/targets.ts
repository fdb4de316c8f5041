/** Everything in the library and the demo that reads what others have written, as targets of hostile input. */
import { forecast } from '../../demo/characters/forecast.js';
import { DEFAULT_SETTINGS } from '../../demo/characters/protocol.js';
import { linkOf, settingsFromLink } from '../../demo/characters/settings-link.js';
import { parseSeries } from '../../demo/forecast/series.js';
import { parseCommand, UsageError } from '../../demo/headless/options.js';
import { CpuExecutor } from '../../src/cpu/executor.js';
import { RnnError } from '../../src/graph/errors.js';
import { parseTexts } from '../../src/gpu/tuning/store.js';
import { loadTextGenerator, type TextGenerator } from '../../src/inference.js';
import { CheckpointReader } from '../../src/io/checkpoint.js';
import { parseJson, type JsonValue } from '../../src/io/json.js';
import { parseSafetensors, writeSafetensors, type SafetensorsFile } from '../../src/io/safetensors.js';
import { CharacterModel } from '../../src/text/character-model.js';
import { CharacterTokenizer, decodeUtf8 } from '../../src/text/tokenizer.js';
import {
  allTypes,
  characterCheckpoints,
  characterFiles,
  createModel,
  createTrainer,
  DATA,
  FIT,
  FIT_TEXT,
  modelCheckpoint,
  trainerBatch,
  trainerCheckpoint,
} from './seeds.js';
import { BrokenRule, type Target } from './trial.js';

/** All targets, with good inputs made anew. */
export async function createTargets(): Promise<Target[]> {
  const files = await characterFiles();
  const models = await characterCheckpoints();
  return [
    jsonTarget(),
    safetensorsTarget([allTypes(), ...files]),
    checkpointTarget([await trainerCheckpoint(), ...models]),
    characterFileTarget(files),
    characterCheckpointTarget(models),
    await trainerTarget(),
    await modelCheckpointTarget(),
    await modelFileTarget(),
    utf8Target(),
    vocabularyTarget(),
    linkTarget(),
    commandTarget(),
    seriesTarget(),
    tuningTarget(),
  ];
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new BrokenRule(rule);
}

function jsonTarget(): Target {
  return {
    name: 'JSON',
    form: 'json',
    seeds: [
      '{"a":[1,-2.5e3,true,false,null,"x\\u00e9\\n🙂"],"__proto__":{"b":{}}}',
      '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"state":"{\\"a\\":1}"}}',
      '[[[[0]]],"",0.1]',
    ],
    read: (text: string) => parseJson(text, 'text'),
    // The platform's own reader takes all that ours takes, and reads the same.
    use: (value: JsonValue, text: string) =>
      check(isDeepEqual(value, JSON.parse(text)), 'read other than JSON.parse reads it'),
  };
}

/** Whether our value, objects as maps, is the one that `JSON.parse` gave. */
export function isDeepEqual(ours: JsonValue, theirs: unknown): boolean {
  if (ours instanceof Map) {
    if (typeof theirs !== 'object' || theirs === null || Array.isArray(theirs)) return false;
    const entries = new Map<string, unknown>(Object.entries(theirs));
    return (
      entries.size === ours.size &&
      [...(ours as ReadonlyMap<string, JsonValue>)].every(([key, value]) =>
        isDeepEqual(value, entries.get(key)),
      )
    );
  }
  if (Array.isArray(ours)) {
    const items = ours as readonly JsonValue[];
    return (
      Array.isArray(theirs) &&
      theirs.length === items.length &&
      items.every((x, i) => isDeepEqual(x, theirs[i]))
    );
  }
  return Object.is(ours, theirs);
}

function safetensorsTarget(seeds: readonly Uint8Array[]): Target {
  return {
    name: 'safetensors',
    form: 'file',
    seeds,
    read: (bytes: Uint8Array) => parseSafetensors(bytes),
    use({ tensors, metadata }: SafetensorsFile) {
      const again = parseSafetensors(writeSafetensors(tensors, metadata));
      check(again.tensors.size === tensors.size, 'a tensor was lost when written again');
      check(sameText(again.metadata, metadata), 'metadata differ when written again');
      for (const [name, { shape, data }] of tensors) {
        const copy = again.tensors.get(name);
        check(copy?.shape.join() === shape.join(), `shape of ${name} differs when written again`);
        check(sameBits(copy!.data, data), `numbers of ${name} differ when written again`);
      }
    },
  };
}

function sameText(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());
}

function sameBits(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return (
    Buffer.compare(
      Buffer.from(a.buffer, a.byteOffset, a.byteLength),
      Buffer.from(b.buffer, b.byteOffset, b.byteLength),
    ) === 0
  );
}

function checkpointTarget(seeds: readonly Uint8Array[]): Target {
  return {
    name: 'checkpoint reader',
    form: 'file',
    seeds,
    read: (bytes: Uint8Array) => {
      const { metadata } = parseSafetensors(bytes);
      return new CheckpointReader(bytes, metadata.get('kind') ?? 'trainer');
    },
    use(reader: CheckpointReader) {
      const refusing = (work: () => unknown): void => {
        try {
          work();
        } catch (error) {
          if (!(error instanceof RnnError)) throw error;
        }
      };
      for (const name of [
        'step',
        'seed',
        'clipNorm',
        'optimizer',
        'fit',
        'schedule',
        'fitSchedule',
        'model',
      ]) {
        for (const way of ['whole', 'number', 'text', 'numbers'] as const) refusing(() => reader[way](name));
      }
      for (const name of reader.names('')) refusing(() => reader.list(name));
      refusing(() => reader.finish());
    },
  };
}

function characterFileTarget(seeds: readonly Uint8Array[]): Target {
  const executor = new CpuExecutor();
  return {
    name: 'character model file, both entries',
    form: 'file',
    seeds,
    async read(bytes: Uint8Array) {
      const [whole, small] = await Promise.allSettled([
        (async () => CharacterModel.load(bytes, { executor }))(),
        loadTextGenerator(bytes, { backend: 'cpu' }),
      ]);
      if (whole.status === 'rejected') {
        check(
          small.status === 'rejected',
          'the inference entry takes a file that CharacterModel.load refuses',
        );
        throw whole.reason;
      }
      // The other way round is told below, where the model is disposed.
      return [whole.value, small] as const;
    },
    async use([model, small]: readonly [CharacterModel, PromiseSettledResult<TextGenerator>]) {
      try {
        if (small.status === 'rejected') {
          if (!(small.reason instanceof RnnError)) throw small.reason;
          throw new BrokenRule(`only the inference entry refuses it: ${small.reason.message}`);
        }
        check(model.summary().length > 0, 'no summary');
        await drain(model.generate({ length: 3, seed: 1 }));
        await drain(small.value.generate({ length: 3, seed: 1 }));
        const text = model.tokenizer.characters.slice(0, 3).join('');
        await small.value.predict(text);
        const again = CharacterModel.load(await model.save(), { executor });
        check(
          again.tokenizer.characters.join('') === model.tokenizer.characters.join(''),
          'vocabulary differs',
        );
        again.dispose();
      } finally {
        model.dispose();
        if (small.status === 'fulfilled') small.value.dispose();
      }
      check(executor.memory().bytesAllocated === 0, 'memory was left over');
    },
    state: () => JSON.stringify(executor.memory()),
  };
}

async function drain(written: AsyncIterable<string>): Promise<void> {
  for await (const character of written) check(character.length > 0, 'an empty character was written');
}

function characterCheckpointTarget(seeds: readonly Uint8Array[]): Target {
  const executor = new CpuExecutor();
  return {
    name: 'character model checkpoint',
    form: 'file',
    seeds,
    read: (bytes: Uint8Array) => CharacterModel.restore(bytes, { executor }),
    async use(model: CharacterModel) {
      try {
        await model.checkpoint();
        await model.fit(FIT_TEXT, FIT);
        await model.save();
      } finally {
        model.dispose();
        check(executor.memory().bytesAllocated === 0, 'memory was left over');
      }
    },
    state: () => JSON.stringify(executor.memory()),
  };
}

async function trainerTarget(): Promise<Target> {
  const good = await trainerCheckpoint();
  const trainer = createTrainer();
  await trainer.step(trainerBatch(1));
  return {
    name: 'trainer checkpoint',
    form: 'file',
    seeds: [good],
    read: (bytes: Uint8Array) => trainer.restore(bytes),
    async use() {
      try {
        for (let step = 1; step <= 4; step++) await trainer.step(trainerBatch(step));
        await trainer.settle();
      } finally {
        await trainer.restore(good);
      }
    },
    state: async () => hash(await trainer.checkpoint()),
  };
}

async function modelCheckpointTarget(): Promise<Target> {
  const good = await modelCheckpoint();
  const model = createModel();
  return {
    name: 'model checkpoint',
    form: 'file',
    seeds: [good],
    read: (bytes: Uint8Array) => model.restore(bytes),
    async use() {
      try {
        await model.checkpoint();
        const { history } = await model.fit(DATA, {
          epochs: 3,
          batchSize: 2,
          validationData: DATA,
          earlyStopping: { patience: 2 },
        });
        const lengths = Object.values(history).map((column) => column.length);
        check(
          Object.values(history).every((column) => column.every((x) => typeof x === 'number')),
          'the history holds something else than numbers',
        );
        check(new Set(lengths).size === 1, 'columns of the history differ in length');
      } finally {
        await model.restore(good);
      }
    },
    state: async () => hash(await model.checkpoint()),
  };
}

async function modelFileTarget(): Promise<Target> {
  const model = createModel();
  const good = await model.save();
  return {
    name: 'model weights',
    form: 'file',
    seeds: [good],
    read: (bytes: Uint8Array) => model.load(bytes),
    async use() {
      await model.predict(DATA.x);
      model.load(good);
    },
    state: async () => hash(await model.save()),
  };
}

function hash(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function utf8Target(): Target {
  const encoder = new TextEncoder();
  return {
    name: 'UTF-8',
    form: 'bytes',
    seeds: [
      'hello\r\n',
      '床前明月光 🙂 e\u0301',
      '\ufeffbegins with a mark',
      '\u0000\u007f\u0080\u07ff\u0800\uffff',
    ].map((text) => encoder.encode(text)),
    read: (bytes: Uint8Array) => {
      const invalid = firstInvalidByte(bytes);
      try {
        const text = decodeUtf8(bytes);
        check(invalid === null, 'bytes that are not UTF-8 were taken');
        return text;
      } catch (error) {
        if (!(error instanceof RnnError)) throw error;
        check(invalid !== null, 'bytes that are UTF-8 were refused');
        check(error.message.includes(`byte ${invalid} (`), `byte ${invalid} is to blame: ${error.message}`);
        throw error;
      }
    },
    use: (text: string, bytes: Uint8Array) => {
      const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      check(
        sameBits(encoder.encode(text), marked ? bytes.subarray(3) : bytes),
        'other text than the bytes say',
      );
    },
  };
}

/** Where the first sequence that RFC 3629 does not allow begins, worked out from its table of well-formed ones. */
export function firstInvalidByte(bytes: Uint8Array): number | null {
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]!;
    const length =
      first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    const second = bytes[at + 1] ?? 0;
    if (length === 0 || (length > 1 && (second < low || second > high))) return at;
    for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return at;
    at += length;
  }
  return null;
}

function vocabularyTarget(): Target {
  return {
    name: 'vocabulary and text',
    form: 'text',
    seeds: ['abc é\u0301🙂\n', '床前明月光，疑是地上霜。', 'zyx__proto__'],
    read: (text: string) => CharacterTokenizer.fromText(text),
    use(tokenizer: CharacterTokenizer, text: string) {
      const tokens = tokenizer.encode(text);
      check(tokenizer.decode(tokens) === text, 'text does not survive the round trip');
      const again = CharacterTokenizer.fromCharacters(tokenizer.characters.join(''));
      check(again.characters.join() === tokenizer.characters.join(), 'the vocabulary does not survive');
    },
  };
}

function linkTarget(): Target {
  return {
    name: 'settings in an address',
    form: 'text',
    seeds: [
      '#cell=gru&hiddenSize=256&learningRate=1e-3&numLayers=2',
      '#steps=500&topP=0.9&backend=cpu&optimizer=lion&seed=7&validationFraction=0.2&__proto__=1',
    ],
    read: (text: string) => settingsFromLink(text),
    use(found: ReturnType<typeof settingsFromLink>) {
      for (const [name, value] of Object.entries(found)) {
        check(Object.hasOwn(DEFAULT_SETTINGS, name), `there is no setting ${name}`);
        const wanted = typeof DEFAULT_SETTINGS[name as 'seed'];
        check(
          typeof value === wanted && (typeof value === 'string' || Number.isFinite(value)),
          `${name} is no ${wanted}`,
        );
      }
      const settings = { ...DEFAULT_SETTINGS, ...found };
      check(
        JSON.stringify({ ...DEFAULT_SETTINGS, ...settingsFromLink(linkOf(settings)) }) ===
          JSON.stringify(settings),
        'settings do not survive their link',
      );
      forecast(settings, 100);
    },
  };
}

function commandTarget(): Target {
  return {
    name: 'headless options',
    form: 'text',
    seeds: [
      '--text a.txt --cell gru --hidden 64 --lr=0.01 --json',
      '--text=b --out c --adapter gpu --top-p 0.9 --validation 0.1 --seed 5',
      '--text x --help --constructor y --__proto__=z',
    ],
    read: (text: string) => parseCommand(text.split(' ')),
    use(command: ReturnType<typeof parseCommand>) {
      if (!command) return;
      for (const [name, value] of Object.entries(command.settings)) {
        check(Object.hasOwn(DEFAULT_SETTINGS, name), `there is no setting ${name}`);
        check(
          typeof value === typeof DEFAULT_SETTINGS[name as 'seed'] && !Number.isNaN(value),
          `${name} is ${value}`,
        );
      }
    },
    allows: (error) => error instanceof UsageError,
  };
}

function seriesTarget(): Target {
  const numbers = Array.from({ length: 20 }, (_, i) => i * 1.5 - 3);
  return {
    name: 'pasted series',
    form: 'text',
    seeds: [
      numbers.join(', '),
      numbers.map((n, i) => `2024-01-${i + 10},${n}`).join('\r\n'),
      numbers.join('\n'),
    ],
    read: (text: string) => parseSeries(text),
    use(values: readonly number[]) {
      const center = values.reduce((sum, value) => sum + value, 0) / values.length;
      const spread = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
      check(Number.isFinite(spread), 'the series has no finite mean and spread');
    },
    allows: (error) => error instanceof Error && error.message.startsWith('series: '),
  };
}

function tuningTarget(): Target {
  return {
    name: 'tuning store',
    form: 'json',
    seeds: ['{"gpu 1":"{\\"choices\\":{\\"a\\":1}}","__proto__":"x","n":3}'],
    read: (text: string) => parseTexts(text),
    use: (texts: Record<string, string>) =>
      check(
        Object.values(texts).every((text) => typeof text === 'string'),
        'something else than text was kept',
      ),
  };
}
