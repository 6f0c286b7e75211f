import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';
import type { Delivery, DeliverySettings, Outbox, OutboxOptions } from 'procvision-runner/outbox';
import { isRecord } from '../../arguments.js';
import { usage } from '../host.js';
import { nearest } from '../nearest.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';

/** How often the file is looked at for other settings, in milliseconds. */
const LOOK_MS = 2_000;
/** How often a picture that cannot be encoded is reported. */
const SAID_MS = 3_600_000;

/** What the file may have besides. `choose` of the rules for pictures is a function: a host of its own has it. */
const OPTIONAL = ['maxBytes', 'maxAgeDays', 'retentionDays', 'maxPending', 'pictures'] as const;
const KNOWN: readonly string[] = ['folder', 'station', 'delivery', ...OPTIONAL];
const RECEIVERS = ['http', 'nats', 's3', 'folder'] as const;

/** What the file has: options of the outbox, its folder, and where it is delivered to. Paths are relative to the file. */
interface OutboxFile extends Pick<OutboxOptions, 'station' | (typeof OPTIONAL)[number]> {
  folder: string;
  delivery: DeliverySettings;
}

/** An outbox and its delivery, as a file describes them. */
export class DescribedOutbox {
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  readonly #file: string;
  /** What is read at the start alone, as it was then. */
  readonly #fixed: string;

  private constructor(file: string, fixed: string, outbox: Outbox, delivery: Delivery) {
    this.#file = file;
    this.#fixed = fixed;
    this.outbox = outbox;
    this.delivery = delivery;
  }

  /** @throws CliFailure 2 for a file that is no JSON; RunnerError `invalid_params` naming the setting */
  static async open(call: Call, given: string, o: { toExport?: true } = {}): Promise<DescribedOutbox> {
    const file = await findFile(call, given, 'description of the outbox');
    const described = await read(file);
    const { folder, delivery: settings, ...options } = described;
    const { deliver, Outbox: Opened } = await import('procvision-runner/outbox');
    // An export records nothing: it needs no sharp.
    const pictures = o.toExport ? { pictures: { keep: 'none' as const } } : {};
    const outbox = await Opened.open(folder, { ...options, ...pictures, onShed: sayOfPictures(call) });
    try {
      const delivery = await deliver(outbox, { ...settings, ...(o.toExport && { paused: true }) });
      return new DescribedOutbox(file, fixedOf(described), outbox, delivery);
    } catch (error) {
      await outbox.close();
      throw error;
    }
  }

  /** Follows the file: what is said of delivery is in force within seconds. A file that cannot be is reported, and changes nothing. */
  follow(onChange: (fault: Error | undefined) => void): void {
    watchFile(this.#file, { interval: LOOK_MS, persistent: false }, () => {
      read(this.#file)
        .then(async (described) => {
          await this.delivery.configure(described.delivery);
          if (fixedOf(described) === this.#fixed) return;
          throw new Error(
            `${this.#file}: delivery is in force; what else was changed is read when serve starts: start it again`,
          );
        })
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
  const unknown = Object.keys(rest).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) {
    const near = nearest(unknown, KNOWN);
    const hint = near === undefined ? '.' : `. Did you mean ${near}?`;
    throw usage(`${file} has ${unknown}, which is no setting${hint} Known are ${KNOWN.join(', ')}`);
  }
  if (typeof folder !== 'string' || folder === '')
    throw usage(`${file} must have folder: where the outbox lies`);
  if (typeof station !== 'string' || station === '') throw usage(`${file} must have station: its name`);
  if (!isRecord(delivery) || RECEIVERS.every((one) => delivery[one] === undefined))
    throw usage(
      `${file} must have delivery: { "http": { "url": "https://…" } }, or nats, s3 or folder in place of http`,
    );
  const at = (relative: string) => path.resolve(path.dirname(file), relative);
  return { ...rest, station, folder: at(folder), delivery: withPaths(delivery, at) };
}

/** What a change of the file does not change while it serves. */
function fixedOf({ delivery: _, ...fixed }: OutboxFile): string {
  return JSON.stringify(fixed);
}

/** Once an hour: a camera that is set up wrongly would say it with each part. */
function sayOfPictures({ out }: Call): NonNullable<OutboxOptions['onShed']> {
  let saidAt = -Infinity;
  return ({ reason, cause }) => {
    if (reason !== 'encoding' || performance.now() < saidAt + SAID_MS) return;
    saidAt = performance.now();
    out.warn(`outbox: a picture could not be encoded, and is given up: ${(cause as Error).message}`);
  };
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
