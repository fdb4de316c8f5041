/** Finds Firefox, or gets it, and starts it with WebGPU. */
import { join } from 'node:path';
import { env, platform } from 'node:process';
import puppeteer, { type Browser } from 'puppeteer';
import { BrowserError, LAUNCH } from './browser.js';
import { installDebianPackages, isProgram, placesOf, run } from './system.js';
import { lavapipe } from './vulkan.js';

const PREFERENCES = {
  'dom.webgpu.enabled': true,
  'dom.webgpu.workers.enabled': true,
  // Software drivers are on the list.
  'gfx.webgpu.ignore-blocklist': true,
};

/**
 * Starts a headless Firefox, on Linux with the software driver lavapipe. Whoever calls closes it.
 * @throws BrowserError when there is no Firefox and none can be got, or when it does not start
 */
export async function launchFirefox(): Promise<Browser> {
  const executablePath = ensureFirefox();
  const driver = lavapipe();
  try {
    return await puppeteer.launch({
      browser: 'firefox',
      executablePath,
      headless: true,
      extraPrefsFirefox: PREFERENCES,
      env: { ...env, ...driver },
      ...LAUNCH,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BrowserError(`${executablePath} did not start: ${reason}`, { cause: error });
  }
}

function ensureFirefox(): string {
  const given = env['FIREFOX_PATH'];
  if (given) {
    if (isProgram(given)) return given;
    throw new BrowserError(
      `FIREFOX_PATH is ${given}, which is not a program; let it name a Firefox, or unset it`,
    );
  }
  const find = (): string | undefined => [...usualPlaces(), ...downloaded()].find(isProgram);
  const found = find();
  if (found) return found;
  if (installDebianPackages(['firefox-esr', 'mesa-vulkan-drivers']) || download()) {
    const installed = find();
    if (installed) return installed;
  }
  throw new BrowserError(
    'no Firefox could be found or got; install it (Debian: apt-get install firefox-esr mesa-vulkan-drivers; ' +
      'anywhere: npx puppeteer browsers install firefox), or name one in the environment variable FIREFOX_PATH',
  );
}

function download(): boolean {
  return run('npx', ['--no-install', 'puppeteer', 'browsers', 'install', 'firefox']);
}

function usualPlaces(): string[] {
  if (platform === 'darwin') {
    return ['/Applications', join(env['HOME'] ?? '', 'Applications')].map((folder) =>
      join(folder, 'Firefox.app/Contents/MacOS/firefox'),
    );
  }
  if (platform === 'win32') {
    return [env['PROGRAMFILES'], env['PROGRAMFILES(X86)'], env['LOCALAPPDATA']].flatMap((folder) =>
      folder ? [join(folder, 'Mozilla Firefox/firefox.exe')] : [],
    );
  }
  return placesOf(['firefox-esr', 'firefox'], ['/usr/bin', '/usr/local/bin', '/opt/firefox']);
}

/** What puppeteer has downloaded before: it names the file whether or not it is there. */
function downloaded(): string[] {
  try {
    return [puppeteer.executablePath({ browser: 'firefox' })];
  } catch {
    return [];
  }
}
