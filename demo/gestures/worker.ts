/** The worker of gestures: learns examples, and classifies strokes. */
import { DeviceError } from '../../src/index.js';
import { Devices } from '../frame/device.js';
import { serve } from '../frame/worker-server.js';
import { DEVICE_ERROR } from '../frame/worker-messages.js';
import type { GestureCalls, GestureEvent } from './protocol.js';
import { Recognizer } from './recognizer.js';

const devices = new Devices();
let recognizer: Recognizer | null = null;

serve<GestureCalls, GestureEvent>(
  {
    probe: () => devices.probe(),
    train: async ({ examples, classes, backend }, { emit }) => {
      const began = performance.now();
      const learned = new Recognizer(await devices.open(backend), classes);
      const accuracy = await learned.learn(examples, emit);
      recognizer?.dispose();
      recognizer = learned;
      return { accuracy, seconds: (performance.now() - began) / 1000 };
    },
    classify: async (stroke) => {
      if (recognizer) return recognizer.classify(stroke);
      throw new Error('gestures: nothing was learned yet; press “Learn”');
    },
  },
  (error) => {
    if (!(error instanceof DeviceError)) return 'Error';
    recognizer = null;
    devices.forget();
    return DEVICE_ERROR;
  },
);
