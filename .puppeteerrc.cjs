/** Installing downloads no browser: scripts/browser.ts finds one, and downloads it only where there is none. */
module.exports = { skipDownload: true };
