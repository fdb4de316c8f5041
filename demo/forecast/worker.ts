/** The worker of forecasts: trains, and draws futures meanwhile. */
import { DeviceError } from '../../src/index.js';
import { Devices } from '../frame/device.js';
import { serve } from '../frame/worker-server.js';
import { DEVICE_ERROR } from '../frame/worker-messages.js';
import { Forecaster } from './forecaster.js';
import type { ForecastCalls, ForecastEvent } from './protocol.js';

const devices = new Devices();
let current: { readonly forecaster: Forecaster; readonly horizon: number; step: number } | null = null;
/** Futures are drawn this often while it learns, in milliseconds. */
const PERIOD = 1500;

serve<ForecastCalls, ForecastEvent>(
  {
    probe: () => devices.probe(),
    train: async ({ values, horizon, settings, backend }, { emit, signal }) => {
      const forecaster = new Forecaster(await devices.open(backend), values, settings);
      current?.forecaster.dispose();
      const mine = { forecaster, horizon, step: 0 };
      current = mine;
      const began = performance.now();
      let drawn = began;
      let step = 0;
      while (step < settings.steps && !signal.aborted) {
        step++;
        for (const record of await forecaster.step(step === settings.steps)) {
          emit({ type: 'step', step: record.step, loss: record.loss });
        }
        mine.step = step;
        if (performance.now() - drawn < PERIOD) continue;
        emit({ type: 'futures', step, paths: await forecaster.draw(horizon, settings.seed) });
        drawn = performance.now();
      }
      emit({ type: 'futures', step, paths: await forecaster.draw(horizon, settings.seed) });
      return { steps: step, stopped: signal.aborted, seconds: (performance.now() - began) / 1000 };
    },
    draw: async ({ seed }) => {
      if (!current) throw new Error('forecast: nothing was learned yet; press “Learn and forecast”');
      const { forecaster, horizon, step } = current;
      return { step, paths: await forecaster.draw(horizon, seed) };
    },
  },
  (error) => {
    if (!(error instanceof DeviceError)) return 'Error';
    current = null;
    devices.forget();
    return DEVICE_ERROR;
  },
);
