/** What is written is read back the same, whatever it is: files of every type and shape, texts, JSON, states, links. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTROLS, linkOf, settingsFromLink } from '../../../demo/characters/settings-link.js';
import { DEFAULT_SETTINGS, type Settings } from '../../../demo/characters/protocol.js';
import { readText } from '../../../demo/characters/read-text.js';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { FormatError, RnnError, TextError } from '../../../src/graph/errors.js';
import { hasLoneSurrogate, parseJson } from '../../../src/io/json.js';
import { parseSafetensors, writeSafetensors, type SafetensorsDType } from '../../../src/io/safetensors.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import type { TensorData } from '../../../src/nn/module.js';
import { Adadelta } from '../../../src/optim/adadelta.js';
import { Adagrad } from '../../../src/optim/adagrad.js';
import { Adam, AdamW } from '../../../src/optim/adam.js';
import { Adamax } from '../../../src/optim/adamax.js';
import { Lion } from '../../../src/optim/lion.js';
import { NAdam } from '../../../src/optim/nadam.js';
import type { Optimizer } from '../../../src/optim/optimizer.js';
import { RMSprop } from '../../../src/optim/rmsprop.js';
import { ReduceOnPlateau } from '../../../src/optim/schedules.js';
import { SGD } from '../../../src/optim/sgd.js';
import { readConfig, writeConfig, type CharacterConfig } from '../../../src/text/character-file.js';
import { CharacterTokenizer, decodeUtf8 } from '../../../src/text/tokenizer.js';
import { Trainer } from '../../../src/train/trainer.js';
import { assemble } from '../../fuzz/mutate.js';
import { firstInvalidByte, isDeepEqual } from '../../fuzz/targets.js';

fc.configureGlobal({ seed: 20, numRuns: 100 });

/** Whole characters of any plane: what text is made of. */
const text = fc.string({ unit: 'binary' });
/** Any UTF-16 code units, halves of pairs too. */
const units = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map((codes) => String.fromCharCode(...codes));
const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

/** The bytes of some numbers, which tell −0 and the kinds of NaN apart. */
function bits({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}

describe('safetensors', () => {
  const tensor: fc.Arbitrary<TensorData> = shapes.chain((shape) => {
    const size = { minLength: sizeOf(shape), maxLength: sizeOf(shape) };
    return fc
      .oneof(fc.float32Array(size), fc.float64Array(size), fc.int32Array(size))
      .map((data) => ({ shape, data }));
  });
  const names = text.filter((name) => name !== '__metadata__');

  it('writes and reads every shape of the types it has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(names, tensor), { maxLength: 5 }),
        fc.array(fc.tuple(text, text), { maxLength: 3 }),
        (tensors, metadata) => {
          const [given, said] = [new Map(tensors), new Map(metadata)];
          const file = parseSafetensors(writeSafetensors(given, said));
          expect(file.metadata).toEqual(said);
          expect(new Set(file.tensors.keys())).toEqual(new Set(given.keys()));
          for (const [name, { shape, data }] of given) {
            const read = file.tensors.get(name)!;
            expect(read.shape).toEqual(shape);
            expect(read.data.constructor).toBe(data.constructor);
            expect(bits(read.data)).toBe(bits(data));
          }
          // Equal content gives equal bytes, in whatever order it comes.
          expect(writeSafetensors(new Map([...given].reverse()), said)).toEqual(
            writeSafetensors(given, said),
          );
        },
      ),
    );
  });

  /** How each type's numbers are put into bytes: the other way round than the reader's. */
  const WRITERS: Readonly<
    Record<SafetensorsDType, [bytes: number, (view: DataView, at: number, x: number) => void]>
  > = {
    F64: [8, (view, at, x) => view.setFloat64(at, x, true)],
    F32: [4, (view, at, x) => view.setFloat32(at, x, true)],
    F16: [2, (view, at, x) => view.setUint16(at, halfOf(x), true)],
    BF16: [2, (view, at, x) => view.setUint16(at, Math.floor(floatBits(x) / 65536), true)],
    I64: [8, (view, at, x) => view.setBigInt64(at, BigInt(x), true)],
    U64: [8, (view, at, x) => view.setBigUint64(at, BigInt(x), true)],
    I32: [4, (view, at, x) => view.setInt32(at, x, true)],
    U32: [4, (view, at, x) => view.setUint32(at, x, true)],
    I16: [2, (view, at, x) => view.setInt16(at, x, true)],
    U16: [2, (view, at, x) => view.setUint16(at, x, true)],
    I8: [1, (view, at, x) => view.setInt8(at, x)],
    U8: [1, (view, at, x) => view.setUint8(at, x)],
    BOOL: [1, (view, at, x) => view.setUint8(at, x)],
  };

  function floatBits(x: number): number {
    return new Uint32Array(Float32Array.of(x).buffer)[0]!;
  }

  /** Half precision of a small whole number: sign, exponent and ten bits of fraction. */
  function halfOf(x: number): number {
    if (x === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(x)));
    return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(x) / 2 ** exponent - 1) * 1024);
  }

  it.each(Object.entries(WRITERS))('reads every shape of %s', (dtype, [bytes, write]) => {
    const signed = !['U64', 'U32', 'U16', 'U8', 'BOOL'].includes(dtype);
    const largest = dtype === 'BOOL' ? 1 : 127;
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 2 ** 31 }), (shape, seed) => {
        const count = sizeOf(shape);
        const numbers = Array.from({ length: count }, (_, i) => {
          const x = ((seed % 9973) * (i + 1) * 31) % (largest + 1);
          return signed && i % 2 === 1 ? -x + 0 : x;
        });
        const data = new Uint8Array(count * bytes);
        const view = new DataView(data.buffer);
        numbers.forEach((x, i) => write(view, i * bytes, x));
        const header = `{"x":{"dtype":"${dtype}","shape":[${shape.join()}],"data_offsets":[0,${data.length}]}}`;
        const read = parseSafetensors(assemble(header, data)).tensors.get('x')!;
        expect(read.dtype).toBe(dtype);
        expect(read.shape).toEqual(shape);
        expect(Array.from(read.data)).toEqual(numbers);
      }),
    );
  });
});

describe('JSON', () => {
  it('reads what JSON.stringify writes, with any white space', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 }), fc.boolean(), (value, spaced) => {
        const written = JSON.stringify(value, null, spaced ? '\t' : undefined);
        expect(isDeepEqual(parseJson(written, 'x'), JSON.parse(written))).toBe(true);
      }),
    );
  });

  it('takes nothing that JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.oneof(text, units, fc.string({ unit: fc.constantFrom(...Array.from('{}[]":,0123e-.tfn\\u \n')) })),
        (any) => {
          let value: ReturnType<typeof parseJson>;
          try {
            value = parseJson(any, 'x');
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError);
            return;
          }
          expect(isDeepEqual(value, JSON.parse(any))).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('text', () => {
  it('survives its tokens, or has half of a surrogate pair', () => {
    fc.assert(
      fc.property(fc.oneof(text, units), (any) => {
        if (any === '' || hasLoneSurrogate(any)) {
          expect(() => CharacterTokenizer.fromText(any)).toThrow(TextError);
          return;
        }
        const tokenizer = CharacterTokenizer.fromText(any);
        const tokens = tokenizer.encode(any);
        expect(tokens.length).toBe(Array.from(any).length);
        expect(tokenizer.decode(tokens)).toBe(any);
        // The vocabulary survives a model's file.
        const config: CharacterConfig = {
          cell: 'gru',
          nonlinearity: 'tanh',
          embeddingSize: 3,
          hiddenSize: 4,
          numLayers: 2,
          dropout: 0.25,
        };
        const read = readConfig(writeConfig(config, tokenizer), 11);
        expect(read.config).toEqual(config);
        expect(read.tokenizer.characters).toEqual(tokenizer.characters);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses characters that the vocabulary lacks, and tokens that it does not have', () => {
    fc.assert(
      fc.property(text, fc.oneof(text, units), fc.array(fc.double()), (known, any, tokens) => {
        const tokenizer = CharacterTokenizer.fromText(`x${known}`);
        const has = Array.from(any).every((character) => tokenizer.has(character));
        if (has) expect(tokenizer.decode(tokenizer.encode(any))).toBe(any);
        else expect(() => tokenizer.encode(any)).toThrow(TextError);
        const valid = tokens.every(
          (token) => Number.isInteger(token) && token >= 0 && token < tokenizer.size,
        );
        if (valid) expect(Array.from(tokenizer.decode(tokens))).toHaveLength(tokens.length);
        else expect(() => tokenizer.decode(tokens)).toThrow(RnnError);
      }),
    );
  });

  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(text, fc.uint8Array({ maxLength: 3 }), text).map(([before, wrong, after]) => {
      return Buffer.concat([Buffer.from(before), wrong, Buffer.from(after)]);
    }),
  );

  it('is decoded strictly, and the first wrong byte is told', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const wrong = firstInvalidByte(given);
        if (wrong !== null) expect(() => decodeUtf8(given)).toThrow(`byte ${wrong} (`);
        else
          expect(decodeUtf8(given)).toBe(
            Buffer.from(given)
              .toString('utf8')
              .replace(/^\ufeff/, ''),
          );
      }),
      { numRuns: 1000 },
    );
  });

  it('is read from a file in pieces of any size as it is in one', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.integer({ min: 1, max: 7 })), async (given, cuts) => {
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) pieces.push(given.slice(at, (at += cut)));
        pieces.push(given.slice(at));
        const file = Object.assign(new Blob([Uint8Array.from(given)]), {
          stream: () => new Blob(pieces.map((piece) => Uint8Array.from(piece))).stream(),
        });
        const reading = readText({ kind: 'file', file, name: 'text' }, () => undefined);
        const whole = (() => {
          try {
            return decodeUtf8(given, 'text');
          } catch (error) {
            return error as Error;
          }
        })();
        if (typeof whole === 'string') expect((await reading).text).toBe(whole);
        else await expect(reading).rejects.toThrow(whole.message);
      }),
    );
  });
});

describe('training', () => {
  const learningRate = fc.double({ min: 1e-6, max: 0.1, noNaN: true });
  const decay = fc.double({ min: 0, max: 0.99, noNaN: true });
  const flag = fc.boolean();
  const optimizers: Readonly<Record<string, fc.Arbitrary<() => Optimizer>>> = {
    SGD: fc.tuple(learningRate, decay, flag).map(([rate, momentum, nesterov]) => {
      return () => new SGD({ learningRate: rate, momentum, nesterov: nesterov && momentum > 0 });
    }),
    Adam: fc.tuple(learningRate, decay, decay).map(([rate, ...betas]) => {
      return () => new Adam({ learningRate: rate, betas });
    }),
    AdamW: learningRate.map((rate) => () => new AdamW({ learningRate: rate })),
    Adamax: learningRate.map((rate) => () => new Adamax({ learningRate: rate })),
    NAdam: fc.tuple(learningRate, flag).map(([rate, decoupledWeightDecay]) => {
      return () => new NAdam({ learningRate: rate, decoupledWeightDecay, weightDecay: 0.1 });
    }),
    Adagrad: fc.tuple(learningRate, decay).map(([rate, initialAccumulatorValue]) => {
      return () => new Adagrad({ learningRate: rate, initialAccumulatorValue });
    }),
    Adadelta: decay.map((rho) => () => new Adadelta({ rho })),
    RMSprop: fc.tuple(learningRate, decay, flag).map(([rate, momentum, centered]) => {
      return () => new RMSprop({ learningRate: rate, momentum, centered });
    }),
    Lion: learningRate.map((rate) => () => new Lion({ learningRate: rate })),
  };

  it.each(Object.entries(optimizers))(
    'goes on from the state of %s as if nothing had been between',
    async (_, kinds) => {
      const create = (optimizer: Optimizer): Trainer => {
        const net = new Linear({ inputSize: 2, outputSize: 1, seed: 1 });
        return new Trainer({
          executor: new CpuExecutor(),
          parameters: net,
          optimizer,
          record: (_graph, { x, y }) => meanSquaredError(net.forward(x!), y!),
        });
      };
      const batch = (step: number) => ({
        x: { shape: [2, 2], data: Float32Array.of(Math.sin(step), 1, -1, Math.cos(step)) },
        y: { shape: [2, 1], data: Float32Array.of(1, step % 3) },
      });
      await fc.assert(
        fc.asyncProperty(kinds, fc.integer({ min: 0, max: 4 }), async (kind, cut) => {
          const whole = create(kind());
          for (let step = 1; step <= cut; step++) await whole.step(batch(step));
          const file = await whole.checkpoint();
          const again = create(kind());
          await again.restore(file);
          expect(await again.checkpoint()).toEqual(file);
          for (const trainer of [whole, again]) {
            for (let step = cut + 1; step <= cut + 2; step++) await trainer.step(batch(step));
          }
          expect(await again.checkpoint()).toEqual(await whole.checkpoint());
        }),
        { numRuns: 8 },
      );
    },
  );

  it('follows a plateau from any state that a schedule was in, and takes no other', () => {
    const options = fc.record({
      initial: fc.double({ min: 0, max: 1, noNaN: true }),
      factor: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      patience: fc.integer({ min: 0, max: 3 }),
      cooldown: fc.integer({ min: 0, max: 3 }),
      mode: fc.constantFrom('min' as const, 'max' as const),
    });
    const measurements = fc.array(fc.oneof(fc.double(), fc.constantFrom(0, 1, 2)), { maxLength: 30 });
    fc.assert(
      fc.property(options, measurements, measurements, fc.anything(), (given, before, after, hostile) => {
        const whole = new ReduceOnPlateau(given);
        for (const value of before) whole.observe(value);
        const again = new ReduceOnPlateau(given);
        again.restore(JSON.parse(JSON.stringify(whole.state())) as Record<string, number>);
        for (const value of after) {
          whole.observe(value);
          again.observe(value);
          expect(again.rateAt(5)).toBe(whole.rateAt(5));
        }
        const kept = again.state();
        try {
          again.restore(hostile as Record<string, number>);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          expect(again.state()).toEqual(kept);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('settings in an address', () => {
  const settings = fc.record(
    Object.fromEntries(
      CONTROLS.map(({ name, choices, step, min = 0, max }) => [
        name,
        choices
          ? fc.constantFrom(...choices.map(([choice]) => choice))
          : step === 'any'
            ? fc.double({ min, max: max ?? 1e300, noNaN: true })
            : fc.integer({ min, max: 2 ** 31 - 1 }),
      ]),
    ) as unknown as { [K in keyof Settings]: fc.Arbitrary<Settings[K]> },
  );

  it('are the same behind the link', () => {
    fc.assert(
      fc.property(settings, (given) => {
        // The sign of zero is no setting.
        const wanted = JSON.parse(JSON.stringify(given)) as Settings;
        const link = new URL(`https://x.test/#${linkOf(given)}`).hash;
        expect({ ...DEFAULT_SETTINGS, ...settingsFromLink(link) }).toEqual({
          ...DEFAULT_SETTINGS,
          ...wanted,
        });
      }),
    );
  });

  it('are left out where they are anything else', () => {
    fc.assert(
      fc.property(fc.oneof(text, units, fc.webUrl({ withFragments: true })), (any) => {
        expect(settingsFromLink(any)).toEqual({});
      }),
    );
  });
});
