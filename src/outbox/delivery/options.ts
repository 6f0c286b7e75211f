import {
  choice,
  Door,
  duration,
  flag,
  group,
  lazily,
  must,
  name,
  strings,
  text,
  whole,
  instance,
  callback,
} from '../../options.js';
import { RunnerError } from '../../errors.js';
import type { Clock } from '../../supervisor/clock.js';
import type { OperationOptions } from '../../abort.js';
import { abortSignal } from '../../options.js';
import type { HttpTargetOptions } from './http/platform.js';
import type { NatsTargetOptions } from './targets/nats-stream.js';
import { LEAST_PART_BYTES, type S3TargetOptions } from './targets/s3-bucket.js';
import type { TlsFiles } from './targets/tls-files.js';

/** Where an outbox is delivered to, and how. Just one of `http`, `nats`, `s3` and `folder` is given. */
export interface DeliverySettings {
  /** The platform. */
  http?: HttpTargetOptions;
  /** A stream. */
  nats?: NatsTargetOptions;
  /** A bucket. */
  s3?: S3TargetOptions;
  /** Path of a folder. */
  folder?: string;
  /** Bound of all uploads together, in bytes a second. @defaultValue no bound */
  maxBytesPerSecond?: number;
  /** For one attempt, in milliseconds; a picture gets 125 ms more for each KiB. @defaultValue 30_000 */
  attemptMs?: number;
  /** Before the second attempt, in milliseconds; the delay doubles with each. @defaultValue 1_000 */
  leastBackoffMs?: number;
  /** Longest delay, in milliseconds. @defaultValue 60_000 */
  mostBackoffMs?: number;
  /**
   * Records and pictures that wait: past so many, logs and whole pictures wait until the rest has gone, and until half of it is left.
   * @defaultValue 10_000
   */
  degradeAbove?: number;
}

/** What else {@link Delivery} takes. */
export interface DeliveryOptions extends DeliverySettings {
  /** Begin without sending. @defaultValue as a person left it, else false */
  paused?: boolean;
  /** Time for all waiting of its own. @defaultValue the system's clock */
  clock?: Clock;
  /** Unix time in milliseconds. For tests. @defaultValue the system's */
  now?: () => number;
}

const files = { caFile: text(), certFile: text(), keyFile: text() };

const settings = () => ({
  http: group<HttpTargetOptions>({
    url: name(),
    ...{ token: text(), tokenFile: text() },
    tls: group<TlsFiles>({ ...files, passphrase: text() }),
    allowPlainHttp: flag(),
    pictures: choice('presigned', 'api', 'either'),
  }),
  nats: group<NatsTargetOptions>({
    servers: must(strings()),
    ...{ subject: text(), token: text(), credsFile: text() },
    tls: group<Omit<TlsFiles, 'passphrase'>>(files),
    window: whole(1, 1_000),
  }),
  s3: group<S3TargetOptions>({
    bucket: name(),
    ...{ endpoint: text(), region: text(), prefix: text() },
    ...{ accessKeyId: text(), secretAccessKey: text() },
    pathStyle: flag(),
    partBytes: whole(LEAST_PART_BYTES),
  }),
  folder: text(),
  maxBytesPerSecond: whole(1_024),
  attemptMs: duration(1),
  leastBackoffMs: duration(1),
  mostBackoffMs: duration(1),
  degradeAbove: whole(1),
});

/** What each call of a `Delivery` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  deliver: new Door<DeliveryOptions>('deliver(outbox, options)', {
    ...settings(),
    paused: flag(),
    clock: instance('a Clock', 'now', 'after'),
    now: callback(),
  }),
  configure: new Door<DeliverySettings>('delivery.configure(settings)', settings()),
  retry: new Door<{ aside?: boolean }>('delivery.retry({ aside })', { aside: flag() }),
  export: new Door<OperationOptions>('delivery.export(folder, options)', { signal: abortSignal() }),
}));

/** Of which just one is given. */
export const RECEIVERS = ['http', 'nats', 's3', 'folder'] as const;

/** The receivers of some settings. */
export function receiverOf({
  http,
  nats,
  s3,
  folder,
}: DeliverySettings): Pick<DeliverySettings, (typeof RECEIVERS)[number]> {
  return {
    ...(http && { http }),
    ...(nats && { nats }),
    ...(s3 && { s3 }),
    ...(folder !== undefined && { folder }),
  };
}

/** Which one of the receivers is meant. @throws RunnerError `invalid_params` for none, or for two */
export function receiverIn(given: DeliverySettings): 'http' | 'nats' | 's3' | 'folder' {
  const named = RECEIVERS.filter((one) => given[one] !== undefined);
  const [first, second] = named;
  if (first !== undefined && second === undefined) return first;
  const fault = first === undefined ? 'none is given' : `${named.join(' and ')} are given`;
  throw new RunnerError(
    'invalid_params',
    `outbox delivery: give just one of http, nats, s3 and folder: ${fault}`,
    { details: { path: second ?? 'http' } },
  );
}
