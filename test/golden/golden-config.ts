/** The config of a golden file: JSON in its metadata, read strictly. */

const FORMAT = 'rnn-golden-1';

/** Settings by name; each getter throws when the setting is missing or of another type. */
export class GoldenConfig {
  readonly #values: Readonly<Record<string, unknown>>;

  private constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** @throws Error when this is no golden file of the format known here */
  static parse(metadata: ReadonlyMap<string, string>): GoldenConfig {
    const format = metadata.get('format');
    if (format !== FORMAT) {
      throw new Error(`its format is ${format === undefined ? 'not given' : `"${format}"`}, not "${FORMAT}"`);
    }
    const config: unknown = JSON.parse(metadata.get('config') ?? 'null');
    if (typeof config !== 'object' || config === null || Array.isArray(config)) {
      throw new Error('its config is not a JSON object');
    }
    return new GoldenConfig(config as Record<string, unknown>);
  }

  /** What the file tests. */
  get kind(): string {
    return this.text('kind');
  }

  text(name: string, fallback?: string): string {
    const value = this.#get(name, fallback);
    if (typeof value === 'string') return value;
    throw new Error(`its config has ${name} ${JSON.stringify(value)}, not a text`);
  }

  flag(name: string): boolean {
    const value = this.#get(name);
    if (typeof value === 'boolean') return value;
    throw new Error(`its config has ${name} ${JSON.stringify(value)}, not true or false`);
  }

  number(name: string, fallback?: number): number {
    const value = this.#get(name, fallback);
    if (typeof value === 'number') return value;
    throw new Error(`its config has ${name} ${JSON.stringify(value)}, not a number`);
  }

  /** A whole number: of at least 1, or of at least 0 where `fallback` is 0. */
  count(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (Number.isSafeInteger(value) && value >= (fallback ?? 1)) return value;
    throw new Error(`its config has ${name} ${value}, not a count`);
  }

  /** The setting; with a fallback it may be missing or null. */
  #get(name: string, fallback?: unknown): unknown {
    const value = this.#values[name] ?? fallback;
    if (value === undefined) throw new Error(`its config has no ${name}`);
    return value;
  }
}
