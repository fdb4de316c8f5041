/** The table of a profile: kernels by the time they take. */
import { number } from './numbers.js';
import { summarize } from './statistics.js';

/** What a profile says of the dispatches of one kernel and layer. */
export interface KernelTime {
  readonly kernel: string;
  readonly label: string;
  readonly count: number;
  readonly flops: number;
  readonly bytes: number;
  readonly milliseconds: number;
}

/** Share of the whole from which a kernel is called hot. */
const HOT = 0.1;

/** Profiles of the same plan as one: the mean of each kernel's times, the slowest kernel first. */
export function averageProfiles(profiles: readonly (readonly KernelTime[])[]): KernelTime[] {
  const sums = new Map<string, KernelTime>();
  for (const entry of profiles.flat()) {
    const key = `${entry.kernel}|${entry.label}`;
    const milliseconds = entry.milliseconds / profiles.length + (sums.get(key)?.milliseconds ?? 0);
    sums.set(key, { ...entry, milliseconds });
  }
  return [...sums.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/**
 * A Markdown table.
 * @param steps milliseconds of whole steps, measured beside the profiles
 */
export function profileTable(
  name: string,
  steps: readonly number[],
  profiles: readonly (readonly KernelTime[])[],
): string {
  const kernels = averageProfiles(profiles);
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const flops = kernels.reduce((sum, entry) => sum + entry.flops, 0);
  const rows = kernels.map(({ kernel, label, count, milliseconds, flops: work, bytes }) => {
    const share = milliseconds / total;
    return [
      share >= HOT ? `**${kernel}**` : kernel,
      label,
      number(count),
      number(milliseconds),
      `${number(100 * share)} %`,
      number((1000 * milliseconds) / count),
      number(work / milliseconds / 1e6),
      number(bytes / milliseconds / 1e6),
    ];
  });
  const header = ['kernel', 'layer', 'dispatches', 'ms', 'share', 'µs each', 'GFLOP/s', 'GB/s'];
  const rule = header.map((_, index) => (index < 2 ? '---' : '--:'));
  const hot = kernels.filter(({ milliseconds }) => milliseconds >= HOT * total);
  const whole = summarize(steps).median;
  return [
    `### ${name}, kernel by kernel`,
    '',
    ...[header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Kernels ${number(total)} ms, the mean of ${profiles.length} profiles; a whole step ${number(whole)} ms (median), ` +
      `${number(flops / whole / 1e6)} GFLOP/s by the plan's own count.`,
    `Hot: ${hot.map(({ kernel, label }) => (label ? `${kernel} (${label})` : kernel)).join(', ')}.`,
  ].join('\n');
}
