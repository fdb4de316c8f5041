/** Finds a browser, or gets one, and starts it with WebGPU. */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { env, platform, stderr } from 'node:process';
import puppeteer, { type Browser } from 'puppeteer';
import { installDebianPackages, isProgram, isRoot, listFolder, placesOf, run } from './system.js';

/**
 * Which adapter pages get: the software one, which is the same on every machine; the real GPU; or the
 * real GPU where there is one and else the software one.
 */
export type AdapterChoice = 'swiftshader' | 'gpu' | 'auto';

/** Options of {@link launchBrowser}. */
export interface LaunchOptions {
  /** `swiftshader` by default. */
  readonly adapter?: AdapterChoice;
  /** Flags besides the usual ones. */
  readonly args?: readonly string[];
}

/** A browser that cannot be found, got or started, with what to do about it. */
export class BrowserError extends Error {
  override readonly name = 'BrowserError';
}

/** How every browser is started here. */
export const LAUNCH = {
  defaultViewport: null,
  handleSIGINT: false,
  handleSIGTERM: false,
  handleSIGHUP: false,
  // A call into the page may last as long as a training run.
  protocolTimeout: 0,
} as const;

const COMMON_FLAGS = [
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A page that trains must not be slowed because nobody sees it.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];
const SWIFTSHADER_FLAGS = ['--use-webgpu-adapter=swiftshader'];
/** Ways to a real GPU, tried in turn: on Linux a machine without a display may want all of them. */
const GPU_FLAGS =
  platform === 'linux'
    ? [
        ['--ignore-gpu-blocklist', '--enable-features=Vulkan'],
        [
          '--ignore-gpu-blocklist',
          '--enable-features=Vulkan',
          '--use-angle=vulkan',
          '--disable-vulkan-surface',
        ],
      ]
    : [['--ignore-gpu-blocklist']];

/** A browser whose graphics process keeps dying never answers; one that starts a driver may take seconds. */
const PROBE_MILLISECONDS = 10_000;

/**
 * Starts a headless Chromium. Ctrl-C does not end it: whoever calls closes it, and it ends with the process.
 * @throws BrowserError when there is no browser and none can be got, or when it does not start, or when
 * `adapter` is `gpu` and there is none
 */
export async function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  const { adapter = 'swiftshader', args = [] } = options;
  const executablePath = ensureBrowser();
  if (adapter === 'swiftshader') return start(executablePath, [...SWIFTSHADER_FLAGS, ...args]);

  for (const flags of hasGpuDevice() ? GPU_FLAGS : []) {
    const browser = await start(executablePath, [...flags, ...args]);
    if (await hasGpuAdapter(browser)) return browser;
    await browser.close();
  }
  if (adapter === 'auto') return start(executablePath, [...SWIFTSHADER_FLAGS, ...args]);
  throw new BrowserError(
    `${executablePath} gives no WebGPU adapter of a real GPU; ` +
      'check the driver (on Linux, Vulkan), or take the software adapter with --adapter swiftshader',
  );
}

/** The program that {@link launchBrowser} starts, or null when the usual places have none. */
export function findBrowser(): string | null {
  const given = env['PUPPETEER_EXECUTABLE_PATH'];
  if (given) {
    if (isProgram(given)) return given;
    throw new BrowserError(
      `PUPPETEER_EXECUTABLE_PATH is ${given}, which is not a program; let it name a Chromium, or unset it`,
    );
  }
  return usualPlaces().find(isProgram) ?? downloadedBrowser();
}

/** Finds a browser; where there is none, downloads one, and says so on standard error. */
function ensureBrowser(): string {
  const found = findBrowser();
  if (found) return found;

  stderr.write('No Chromium, Chrome or Edge is installed; downloading Chrome for Testing.\n');
  const downloaded = run('npx', ['--no-install', 'puppeteer', 'browsers', 'install', 'chrome'])
    ? downloadedBrowser()
    : null;
  // In a bare container the download lacks the system's libraries and does not start.
  if (downloaded && spawnSync(downloaded, ['--version'], { stdio: 'ignore' }).status === 0) return downloaded;

  if (installDebianPackages(['chromium'])) {
    const installed = usualPlaces().find(isProgram);
    if (installed) return installed;
  }
  throw new BrowserError(
    'no browser could be found or got; install Chromium, Chrome or Edge ' +
      '(Debian: apt-get install chromium; anywhere: npx puppeteer browsers install chrome), ' +
      'or name one in the environment variable PUPPETEER_EXECUTABLE_PATH',
  );
}

async function start(executablePath: string, flags: readonly string[]): Promise<Browser> {
  try {
    return await puppeteer.launch({
      executablePath,
      headless: true,
      args: [...COMMON_FLAGS, ...flags, ...(isRoot ? ['--no-sandbox'] : [])],
      ...LAUNCH,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const sandbox = reason.includes('sandbox')
      ? '; this system lets no ordinary user make a sandbox: allow unprivileged user namespaces, or install the browser from the system’s packages'
      : '';
    throw new BrowserError(`${executablePath} did not start${sandbox}: ${reason}`, { cause: error });
  }
}

/** Whether a page of this browser gets an adapter that is real hardware. */
async function hasGpuAdapter(browser: Browser): Promise<boolean> {
  // WebGPU wants a secure context, which a blank page is not and one from localhost is.
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>adapter</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const probe = page.evaluate(async () => {
      const gpu = (navigator as Partial<Navigator>).gpu;
      const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
      if (!adapter || adapter.info.isFallbackAdapter) return false;
      const { vendor, architecture, device, description } = adapter.info;
      return !/swiftshader|llvmpipe|lavapipe|software|basic render/i.test(
        `${vendor} ${architecture} ${device} ${description}`,
      );
    });
    const patience = new Promise<boolean>((resolve) => {
      setTimeout(resolve, PROBE_MILLISECONDS, false).unref();
    });
    // A probe that is given up ends with its page, in an error that nobody waits for.
    return await Promise.race([probe.catch(() => false), patience]);
  } finally {
    await page.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Whether this machine can have a GPU at all: spares the trial where Linux shows no device. */
function hasGpuDevice(): boolean {
  if (platform !== 'linux') return true;
  const devices = [...listFolder('/dev/dri'), ...listFolder('/dev')];
  return devices.some((name) => /^(renderD\d+|nvidia\d+|dxg)$/.test(name));
}

/** Where systems keep a Chromium, Chrome or Edge, in the order of preference. */
function usualPlaces(): string[] {
  if (platform === 'darwin') {
    const names = ['Google Chrome', 'Chromium', 'Microsoft Edge', 'Google Chrome Canary'];
    const folders = ['/Applications', join(env['HOME'] ?? '', 'Applications')];
    return folders.flatMap((folder) =>
      names.map((name) => join(folder, `${name}.app/Contents/MacOS/${name}`)),
    );
  }
  if (platform === 'win32') {
    const programs = ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe'];
    const folders = [env['PROGRAMFILES'], env['PROGRAMFILES(X86)'], env['LOCALAPPDATA']];
    return programs.flatMap((program) =>
      folders.flatMap((folder) =>
        folder ? [join(folder, program), join(folder, 'Chromium/Application/chrome.exe')] : [],
      ),
    );
  }
  const names = [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    'google-chrome-beta',
    'chrome',
    'microsoft-edge',
    'microsoft-edge-stable',
  ];
  return placesOf(names, [
    '/usr/bin',
    '/usr/local/bin',
    '/snap/bin',
    '/opt/google/chrome',
    '/opt/microsoft/msedge',
  ]);
}

/** What puppeteer has downloaded before: it names the file whether or not it is there. */
function downloadedBrowser(): string | null {
  try {
    const path = puppeteer.executablePath();
    return isProgram(path) ? path : null;
  } catch {
    return null;
  }
}
