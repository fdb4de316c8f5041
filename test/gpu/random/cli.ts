/** `npm run test:random`: random networks on the GPU against the reference, as many as you like. */
import { parseArgs } from 'node:util';
import { launchBrowser, type AdapterChoice } from '../../../scripts/browser.js';
import { servePages } from '../../../scripts/serve.js';
import { describeConfiguration, parseConfiguration } from './configuration.js';

const HELP = `npm run test:random -- [options]
Random recurrent networks, forward, backward and one update, on the GPU against the reference.

  --count N             how many; 500
  --seed N              of the list of configurations; 1
  --from N              where in the list to begin; 0
  --configuration JSON  only this one, as a failure tells it
  --adapter NAME        swiftshader, gpu or auto; swiftshader
  --help                this list`;

/** Between two lines that say how far it is. */
const AT_ONCE = 50;

function whole(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new Error(`--${name} is ${text}; pass a whole number`);
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    configuration: { type: 'string' },
    adapter: { type: 'string', default: 'swiftshader' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const [seed, from, count] = [
    whole('seed', values.seed),
    whole('from', values.from),
    whole('count', values.count),
  ];
  const only = values.configuration === undefined ? null : parseConfiguration(values.configuration);
  const [server, browser] = [
    await servePages(),
    await launchBrowser({ adapter: values.adapter as AdapterChoice }),
  ];
  let [passed, failed, sensitive] = [0, 0, 0];
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.url}test/gpu/random/index.html`);
    await page.waitForFunction(() => window.randomNetworks !== undefined, { timeout: 30_000 });
    console.log(await page.evaluate(() => window.randomNetworks!.describe()));
    if (only) {
      const problem = await page.evaluate(
        (told) => window.randomNetworks!.check(told),
        describeConfiguration(only),
      );
      if (problem === null) passed++;
      else failed++;
      if (problem !== null) console.log(problem);
    }
    for (let first = from; !only && failed === 0 && first < from + count; first += AT_ONCE) {
      const options = { seed, from: first, count: Math.min(AT_ONCE, from + count - first) };
      const found = await page.evaluate((range) => window.randomNetworks!.search(range), options);
      if (typeof found === 'string') {
        failed++;
        console.log(found);
      } else {
        passed += found.passed;
        sensitive += found.sensitive;
        console.log(`${passed} of ${count}, ${sensitive} of them sensitive to rounding`);
      }
    }
  } finally {
    await Promise.all([browser.close(), server.close()]);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

if (values.help) console.log(HELP);
else await main();
