/** Software Vulkan drivers: on Linux they let WebGPU compute the same everywhere, with or without a GPU. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { platform } from 'node:process';
import { findBrowser } from './browser.js';
import { installDebianPackages, listFolder } from './system.js';

/** Environment variables that choose a driver; none on systems that do without Vulkan. */
export type DriverVariables = Readonly<Record<string, string>>;

/** A driver that is missing, with what to do about it. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
}

/**
 * Chromium's SwiftShader, which comes with the browser.
 * @throws DriverError where it is missing
 */
export function swiftShader(): DriverVariables {
  if (platform !== 'linux') return {};
  const folders = [dirname(findBrowser() ?? ''), '/usr/lib/chromium', '/usr/lib/chromium-browser'];
  const file = folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find(existsSync);
  if (file !== undefined) return choosing(file);
  throw new DriverError(
    'there is no vk_swiftshader_icd.json beside the browser; install Chromium ' +
      '(Debian: apt-get install chromium; anywhere: npx puppeteer browsers install chrome)',
  );
}

/**
 * Mesa's lavapipe; installs it on Debian where it is missing.
 * @throws DriverError where it is missing still
 */
export function lavapipe(): DriverVariables {
  if (platform !== 'linux') return {};
  const find = (): string | undefined =>
    ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d']
      .flatMap((folder) => listFolder(folder).map((name) => join(folder, name)))
      .find((file) => /\/lvp_icd[^/]*\.json$/.test(file));
  const file = find() ?? (installDebianPackages(['mesa-vulkan-drivers']) ? find() : undefined);
  if (file !== undefined) return choosing(file);
  throw new DriverError(
    "Mesa's software driver lavapipe is missing; install it (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)",
  );
}

/** By the old name of the variable and by the new one. */
function choosing(file: string): DriverVariables {
  return { VK_ICD_FILENAMES: file, VK_DRIVER_FILES: file };
}
