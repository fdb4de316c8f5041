/** The page's worker: everything that computes, reads texts or keeps models happens here, so that the page stays smooth. */
import { DeviceError } from '../../src/index.js';
import { Devices } from '../frame/device.js';
import { serve } from '../frame/worker-server.js';
import { DEVICE_ERROR, DIVERGED } from '../frame/worker-messages.js';
import type { CharacterCalls, WorkerEvent } from './protocol.js';
import { Session } from './session.js';
import { DivergedError } from './training-run.js';
import { listKept, renameModel, takeDamaged } from './storage.js';
import { samplingOptions } from './writing.js';

const devices = new Devices();
const session = new Session(devices);

serve<CharacterCalls, WorkerEvent>(
  {
    probe: () => devices.probe(),
    check: (_, { emit, signal }) =>
      devices.check((progress) => emit({ type: 'checking', ...progress }), signal),
    read: (source, { emit }) => session.read(source, emit),
    train: (request, { emit, signal }) => session.train(request, emit, signal),
    hold: (what) => {
      session.run?.gate[what]();
      return null;
    },
    rate: (learningRate) => {
      if (session.run) session.run.learningRate = learningRate;
      return null;
    },
    generate: async ({ prompt, length, seed, ...sampling }, { emit, signal }) => {
      const options = { ...samplingOptions(sampling), length, seed, signal };
      const begin = prompt === '' ? {} : { prompt };
      for await (const text of session.model.generate({ ...options, ...begin })) {
        emit({ type: 'written', text });
      }
      return null;
    },
    inspect: (text) => session.inspect(text),
    save: async () => {
      const bytes = await session.model.save();
      return bytes.slice().buffer;
    },
    load: ({ bytes, backend }) => session.load(bytes, backend),
    reset: () => {
      session.reset();
      return null;
    },
    keep: async () => {
      await session.keep();
      return null;
    },
    kept: () => listKept(),
    open: (request) => session.open(request),
    rename: async ({ id, name }) => {
      await renameModel(id, name);
      return null;
    },
    remove: async ({ id }) => {
      await session.remove(id);
      return null;
    },
    rescue: async ({ id }) => (await takeDamaged(id)).slice().buffer,
    watch: (_request, { emit }) => {
      session.tell = emit;
      return new Promise<null>(() => undefined);
    },
  },
  (error) => {
    if (error instanceof DivergedError) return DIVERGED;
    if (!(error instanceof DeviceError)) return 'Error';
    session.forgetDevice();
    return DEVICE_ERROR;
  },
);
