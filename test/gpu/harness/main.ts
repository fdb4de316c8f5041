/** The page that runs GPU cases: `window.gpuTests`, called by the tests through the browser's protocol. */
import type { GpuCaseModule } from '../case.js';
import { Agent } from './agent.js';

declare global {
  interface Window {
    gpuTests?: Agent;
  }
}

window.gpuTests = new Agent(
  (navigator as Partial<Navigator>).gpu,
  import.meta.glob<GpuCaseModule>(['../cases/*.ts', '../../everywhere/cases/*.ts', './faults.ts']),
  { shares: location.search === '?shares' },
);
