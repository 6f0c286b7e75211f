import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { checkStrings } from '../../arguments.js';
import { RunnerError } from '../../errors.js';
import { showAs } from '../../readable.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import { systemClock, type Clock } from '../../supervisor/clock.js';
import type { DeliveryQueue, OutboxStatus, RecordKind } from '../types.js';
import { exportTo, type ExportReport } from './export.js';
import { HttpPlatform } from './http/platform.js';
import type { LaneContext, LaneSettings } from './lanes/lane.js';
import { PictureLane } from './lanes/picture-lane.js';
import { LaneProgress, type DeliveryFault, type NetworkState, type Sent } from './lanes/progress.js';
import { RecordLane } from './lanes/record-lane.js';
import { TokenBucket } from './lanes/token-bucket.js';
import {
  doors,
  receiverIn,
  receiverOf,
  RECEIVERS,
  type DeliveryOptions,
  type DeliverySettings,
} from './options.js';
import { FolderTarget } from './targets/folder.js';
import { NatsStream } from './targets/nats-stream.js';
import type { DeliveryTarget } from './targets/port.js';
import { S3Bucket } from './targets/s3-bucket.js';

/** What is delivered: an `Outbox`. */
export interface DeliverableOutbox {
  /** Absolute path. */
  readonly folder: string;
  /** What is to be delivered. */
  readonly queue: DeliveryQueue;
  /** How much waits. */
  status(): Promise<OutboxStatus>;
}

/** How a delivery stands. */
export interface DeliveryStatus {
  state: 'running' | 'paused' | 'closed';
  /** Where to: an address without credentials, or a path. */
  to: string;
  /**
   * How the last attempt ended, the worse of records and pictures: `up` after an answer; else whose move it is: `network`, `credentials` or
   * `platform`. It ends with the next answer, and where nothing waits any more. `unknown` before the first attempt.
   */
  network: NetworkState;
  /** Whether so much waits that whole pictures wait for what is small. */
  isDegraded: boolean;
  /** The last failure. It stays after it is over: then it has `endedAt`. */
  lastFault: DeliveryFault | undefined;
  /** When something was taken last: Unix time in milliseconds. */
  lastTakenAt: number | undefined;
  /** When the next attempt is due, where one waits: Unix time in milliseconds. */
  retryAt: number | undefined;
  /** When this delivery began, and the counters below with it: Unix time in milliseconds. */
  startedAt: number;
  /** What was taken since it began. */
  sent: Sent;
  /** Attempts that failed, since it began. */
  failures: number;
  /** Records and pictures that were refused for good, since it began. What is set aside now is `aside` of the outbox. */
  refused: number;
}

/** All that a person wants to know at once. */
export interface DeliveryReport {
  outbox: OutboxStatus;
  delivery: DeliveryStatus;
  /** What was refused for good, the last first: at most twenty. */
  aside: { ingestId: string; kind: RecordKind; reason: string; setAsideAt: number }[];
}

/** Of those that were refused, so many are in a report. */
const MOST_REPORTED = 20;
/** File in the outbox's folder that keeps a pause over a restart. */
const STATE_FILE = 'delivery.json';
const DEFAULT_DEGRADE_ABOVE = 10_000;

/**
 * Brings an outbox to its receiver: records and pictures in a lane each, tried again until they are taken or refused for good. A result
 * never waits for it.
 */
export class Delivery implements AsyncDisposable {
  readonly #outbox: DeliverableOutbox;
  readonly #clock: Clock;
  readonly #progress: LaneProgress;
  readonly #lanes: readonly [RecordLane, PictureLane];
  #settings: DeliverySettings;
  #now: LaneSettings;
  #isPaused: boolean;
  #isDegraded = false;
  #closed: Promise<void> | undefined;
  #kept: Promise<void> = Promise.resolve();

  /** @internal Use {@link deliver}. */
  constructor(outbox: DeliverableOutbox, o: DeliveryOptions, isPaused: boolean) {
    const { clock = systemClock, now = Date.now, paused: _, ...settings } = o;
    this.#outbox = outbox;
    this.#clock = clock;
    this.#settings = settings;
    this.#isPaused = isPaused;
    this.#now = laneSettings(settings, clock);
    this.#progress = new LaneProgress(now);
    const context: LaneContext = {
      ...{ queue: outbox.queue, clock, now, progress: this.#progress },
      settings: () => this.#now,
      isPaused: () => this.#isPaused,
      isDegraded: () => this.#degraded(),
      onStoreFault: () => undefined, // the outbox says itself what its disk says
    };
    this.#lanes = [new RecordLane(context), new PictureLane(context)];
    for (const lane of this.#lanes) lane.start();
    showAs(this, 'Delivery', () => ({ to: this.#now.target.title, network: this.#progress.network }));
  }

  /** How it stands now. */
  status(): Promise<DeliveryStatus> {
    const isDegraded = this.#degraded();
    const { network, lastFault, lastTakenAt, startedAt, sent, failures, refused } = this.#progress;
    const running = this.#isPaused ? 'paused' : 'running';
    const retries = this.#lanes.flatMap(({ retryAt }) => retryAt ?? []);
    return Promise.resolve({
      state: this.#closed ? 'closed' : running,
      to: this.#now.target.title,
      network,
      ...{ isDegraded, lastFault, lastTakenAt },
      retryAt: this.#isPaused || retries.length === 0 ? undefined : Math.min(...retries),
      startedAt,
      sent: { ...sent },
      ...{ failures, refused },
    });
  }

  /** How it and its outbox stand now. @throws RunnerError `closed` where the outbox is */
  async report(): Promise<DeliveryReport> {
    const { queue } = this.#outbox;
    const [outbox, delivery, all] = await Promise.all([this.#outbox.status(), this.status(), queue.aside()]);
    const latest = all.sort((a, b) => b.setAsideAt - a.setAsideAt).slice(0, MOST_REPORTED);
    const aside = latest.map(({ ingestId, kind, reason, setAsideAt }) => {
      return { ingestId, kind, reason, setAsideAt };
    });
    return { outbox, delivery, aside };
  }

  /**
   * Other settings from now on: what is under way is ended and made again, and nothing is lost. With a receiver (`http`, `nats`, `s3` or
   * `folder`) they take the place of all that were, and what is not given has its default again. Without one the receiver and all that is
   * not named stay.
   *
   * @throws RunnerError `invalid_params`: the settings before stay in force; `closed`
   */
  async configure(settings: DeliverySettings): Promise<void> {
    this.#checkOpen('configure');
    doors().configure.check(settings);
    const all = RECEIVERS.some((one) => settings[one] !== undefined)
      ? settings
      : { ...this.#settings, ...settings, ...receiverOf(this.#settings) };
    checkReceiver(all, this.#outbox.folder);
    const before = this.#now;
    this.#now = laneSettings(all, this.#clock);
    this.#settings = all;
    if (before.target.title !== this.#now.target.title) this.#progress.forget();
    for (const lane of this.#lanes) lane.interrupt();
    await before.target.close();
    await this.#outbox.queue.retryNow();
  }

  /** Sends nothing until {@link Delivery.resume}, over a restart too. What was under way is sent again then. */
  async pause(): Promise<void> {
    this.#checkOpen('pause');
    this.#isPaused = true;
    for (const lane of this.#lanes) lane.interrupt();
    await this.#keep();
  }

  /** Sends again. */
  async resume(): Promise<void> {
    this.#checkOpen('resume');
    this.#isPaused = false;
    await this.#keep();
    for (const lane of this.#lanes) lane.wake();
  }

  /**
   * Tries at once what waits for its retry. With `aside` also what was refused for good, which goes back to its place: after a setting of
   * the platform was mended.
   */
  async retry(o: { aside?: boolean } = {}): Promise<void> {
    this.#checkOpen('retry');
    doors().retry.check(o);
    const { queue } = this.#outbox;
    if (o.aside === true) await queue.putBack((await queue.aside()).map(({ index }) => index));
    await queue.retryNow();
    for (const lane of this.#lanes) lane.wake();
  }

  /**
   * Copies what waits, and what was refused, to a folder such as a stick: each file whole and on its disk when this resolves. Everything
   * stays in the outbox too: who takes both takes each `ingest_id` once.
   *
   * @throws RunnerError `store_failed` when the folder cannot be written, `invalid_params` for one in the outbox, `aborted`, `closed`
   */
  async export(folder: string, o: OperationOptions = {}): Promise<ExportReport> {
    this.#checkOpen('export');
    checkStrings('delivery.export(folder)', { folder });
    doors().export.check(o);
    throwIfAborted(o.signal, 'export');
    checkOutside('delivery.export(folder)', folder, this.#outbox.folder);
    return exportTo(folder, this.#outbox.queue, o);
  }

  /** Ends what is under way; what was not taken stays in the outbox. */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      try {
        await Promise.all(this.#lanes.map((lane) => lane.close()));
        await this.#now.target.close();
      } finally {
        delivered.delete(this.#outbox.queue);
      }
    })());
  }

  /** See {@link Delivery.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Past the threshold, until half of it is left: so that it does not come and go with each record. */
  #degraded(): boolean {
    const { degradeAbove = DEFAULT_DEGRADE_ABOVE } = this.#settings;
    const { waitingCount } = this.#outbox.queue;
    this.#isDegraded = waitingCount > (this.#isDegraded ? degradeAbove / 2 : degradeAbove);
    return this.#isDegraded;
  }

  /** One write after the other, each of what holds by then: of two at the same time the older could be the last. */
  #keep(): Promise<void> {
    const keep = () =>
      writeJsonAtomic(path.join(this.#outbox.folder, STATE_FILE), { paused: this.#isPaused });
    return (this.#kept = this.#kept.then(keep, keep));
  }

  #checkOpen(call: string): void {
    if (this.#closed) throw new RunnerError('closed', `The delivery was closed before ${call}`);
  }
}

/** What is delivered now. Two deliveries of one outbox would send each record twice, and in no order. */
const delivered = new WeakSet<DeliveryQueue>();

/**
 * Begins to deliver an outbox. Close it before the outbox.
 *
 * @throws RunnerError `invalid_params` for settings that cannot be, where an optional peer is not installed, or for an outbox that is
 * delivered already
 */
export async function deliver(outbox: DeliverableOutbox, options: DeliveryOptions): Promise<Delivery> {
  doors().deliver.check(options);
  receiverIn(options);
  checkReceiver(options, outbox.folder);
  if (delivered.has(outbox.queue)) {
    throw new RunnerError(
      'invalid_params',
      `deliver(outbox, options): the outbox in ${outbox.folder} is delivered already: close that delivery first, or give it these settings by configure()`,
      { details: { path: 'outbox' } },
    );
  }
  delivered.add(outbox.queue);
  try {
    const kept = await readJson(path.join(outbox.folder, STATE_FILE)).catch(() => undefined);
    const wasPaused = (kept as { paused?: unknown } | undefined)?.paused === true;
    return new Delivery(outbox, options, options.paused ?? wasPaused);
  } catch (error) {
    delivered.delete(outbox.queue);
    throw error;
  }
}

function checkReceiver({ folder }: DeliverySettings, outbox: string): void {
  if (folder !== undefined) checkOutside('outbox delivery: folder', folder, outbox);
}

/** What lies in an outbox is its own: what it does not know there, it removes. */
function checkOutside(what: string, folder: string, outbox: string): void {
  const inside = path.relative(outbox, path.resolve(folder));
  if (path.isAbsolute(inside) || inside === '..' || inside.startsWith(`..${path.sep}`)) return;
  throw new RunnerError(
    'invalid_params',
    `${what}: ${folder} lies in the outbox ${outbox}: give a folder elsewhere`,
    {
      details: { path: 'folder' },
    },
  );
}

function laneSettings(settings: DeliverySettings, clock: Clock): LaneSettings {
  const { attemptMs = 30_000, leastBackoffMs: leastMs = 1_000, mostBackoffMs = 60_000 } = settings;
  return {
    target: targetOf(settings),
    bucket: new TokenBucket(clock, settings.maxBytesPerSecond),
    attemptMs,
    backoff: { leastMs, mostMs: Math.max(leastMs, mostBackoffMs) },
  };
}

function targetOf(settings: DeliverySettings): DeliveryTarget {
  receiverIn(settings);
  const { http, nats, s3, folder } = settings;
  if (http) return new HttpPlatform(http);
  if (nats) return new NatsStream(nats);
  if (s3) return new S3Bucket(s3);
  return new FolderTarget(folder ?? '');
}
