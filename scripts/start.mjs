/** `npm start`: serves the demo page; with `--headless`, runs the demo without a window. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';

const USAGE = `npm start                          serves the demo page on http://localhost:5173
npm start -- --port N --host NAME  on another port or address, --host alone on all; --open opens a browser
npm start -- --headless …          runs the demo without a window; --headless --help lists its options
`;

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);

if (args.includes('--headless')) {
  const rest = args.filter((arg) => arg !== '--headless');
  process.argv.splice(1, Infinity, `${root}scripts/run.mjs`, `${root}demo/headless/main.ts`, ...rest);
  await import('./run.mjs');
} else {
  await serve(parseServeArgs());
}

function parseServeArgs() {
  try {
    const { values } = parseArgs({
      // Alone, it means what Vite says when it starts.
      args: args.map((arg, i) =>
        arg === '--host' && /^(--|$)/.test(args[i + 1] ?? '') ? '--host=0.0.0.0' : arg,
      ),
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        open: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
      throw new Error(`--port ${values.port} is not a port: pass a number from 0 to 65535`);
    }
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    return { host: values.host, port, open: values.open };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function serve({ host, port, open }) {
  const server = await createServer({
    root: `${root}demo`,
    configFile: `${root}vite.demo.config.ts`,
    // Undefined options would override the defaults.
    server: {
      open,
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port, strictPort: true }),
    },
  });
  await server.listen();
  server.printUrls();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      void server.close().finally(() => process.exit(0));
    });
  }
}
