/** Settings in the address of the page: what is known and fits its control is taken, all else is left out. */
import { CONTROL_GROUPS, type Control } from './controls.js';
import { DEFAULT_SETTINGS, type Settings } from './protocol.js';

/** The settings as a table. */
export const CONTROLS = CONTROL_GROUPS.flatMap(({ controls }) => controls);

/** Settings named in the part of an address after `#`; what is unknown, or out of its control's range, is left out. */
export function settingsFromLink(hash: string): Partial<Settings> {
  const found: Record<string, string | number> = {};
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const control = CONTROLS.find((known) => known.name === name);
    const value = control && valueOf(control, text);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function valueOf({ choices, step, min = -Infinity, max = Infinity }: Control, text: string) {
  if (choices) return choices.find(([choice]) => choice === text)?.[0];
  const value = text.trim() === '' ? NaN : Number(text);
  const fits = step === 'any' ? Number.isFinite(value) : Number.isSafeInteger(value);
  return fits && value >= min && value <= max ? value : undefined;
}

/** The part of an address after `#` that says in what the settings differ from the default. */
export function linkOf(settings: Settings): string {
  const differing = Object.entries(settings).filter(
    ([name, value]) => DEFAULT_SETTINGS[name as keyof Settings] !== value,
  );
  return new URLSearchParams(differing.map(([name, value]) => [name, String(value)])).toString();
}
