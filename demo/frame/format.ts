/** Numbers and times as people read them. */

/** `12,300`, or `1.2M` from a million on. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return '–';
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  return Math.round(count).toLocaleString('en-US');
}

/** Three decimals; `NaN` and infinity as they are. */
export function formatLoss(loss: number | null | undefined): string {
  if (loss === null || loss === undefined) return '–';
  return Number.isFinite(loss) ? loss.toFixed(3) : String(loss);
}

/** `0:07`, `12:34`, `1:02:03`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  const clock = `${minutes >= 60 ? two(minutes % 60) : minutes}:${two(whole % 60)}`;
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${clock}` : clock;
}

/** `3.1 kB`, `1.1 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Three significant digits: `0.002`, `1.25`, `0.0000316`. */
export function formatRate(rate: number): string {
  if (!Number.isFinite(rate)) return '–';
  return rate === 0 ? '0' : rate.toLocaleString('en-US', { maximumSignificantDigits: 3, useGrouping: false });
}
