import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';
import type { Delivery, DeliverySettings, Outbox, OutboxOptions } from 'procvision-runner/outbox';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';

/** How often the file is looked at for other settings, in milliseconds. */
const LOOK_MS = 2_000;

/** What the file has: options of the outbox, its folder, and where it is delivered to. Paths are relative to the file. */
interface OutboxFile extends Pick<OutboxOptions, 'station' | 'maxBytes' | 'maxAgeDays' | 'retentionDays'> {
  folder: string;
  delivery: DeliverySettings;
}

/** An outbox and its delivery, as a file describes them. */
export class DescribedOutbox {
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  readonly #file: string;

  private constructor(file: string, outbox: Outbox, delivery: Delivery) {
    this.#file = file;
    this.outbox = outbox;
    this.delivery = delivery;
  }

  /** @throws CliFailure 2 for a file that is no JSON; RunnerError `invalid_params` naming the setting */
  static async open(call: Call, given: string, o: { paused?: true } = {}): Promise<DescribedOutbox> {
    const file = await findFile(call, given, 'description of the outbox');
    const { folder, delivery: settings, ...options } = await read(file);
    const { deliver, Outbox: Opened } = await import('procvision-runner/outbox');
    const outbox = await Opened.open(folder, options);
    try {
      return new DescribedOutbox(file, outbox, await deliver(outbox, { ...settings, ...o }));
    } catch (error) {
      await outbox.close();
      throw error;
    }
  }

  /** Follows the file: what is said of delivery is in force within seconds. A file that cannot be is reported, and changes nothing. */
  follow(onChange: (fault: Error | undefined) => void): void {
    watchFile(this.#file, { interval: LOOK_MS, persistent: false }, () => {
      read(this.#file)
        .then(({ delivery }) => this.delivery.configure(delivery))
        .then(
          () => {
            onChange(undefined);
          },
          (error: unknown) => {
            onChange(error as Error);
          },
        );
    });
  }

  async close(): Promise<void> {
    unwatchFile(this.#file);
    await this.delivery.close();
    await this.outbox.close();
  }
}

async function read(file: string): Promise<OutboxFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw usage(`${file} must be JSON: ${(error as Error).message}`);
  }
  const { folder, station, delivery, ...rest } = (value ?? {}) as Partial<OutboxFile>;
  if (typeof folder !== 'string' || folder === '')
    throw usage(`${file} must have folder: where the outbox lies`);
  if (typeof station !== 'string' || station === '') throw usage(`${file} must have station: its name`);
  if (typeof delivery !== 'object')
    throw usage(`${file} must have delivery: { "http": { "url": "https://…" } }`);
  const at = (relative: string) => path.resolve(path.dirname(file), relative);
  return { ...rest, station, folder: at(folder), delivery: withPaths(delivery, at) };
}

/** Settings whose names end with File, and the folder of a delivery, are paths. */
function withPaths<T extends object>(settings: T, at: (relative: string) => string): T {
  const entries = Object.entries(settings).map(([name, value]: [string, unknown]): [string, unknown] => {
    if (typeof value === 'string' && (name.endsWith('File') || name === 'folder')) return [name, at(value)];
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [name, isGroup ? withPaths(value, at) : value];
  });
  return Object.fromEntries(entries) as T;
}
