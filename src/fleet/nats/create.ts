import type { StreamConfig } from '@nats-io/jetstream';
import type { Line, Session } from './line.js';
import { changeSubject } from './watch.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What `createFleet()` makes. */
export interface CreateFleetOptions {
  /** Servers of a cluster that keep each value and event. @defaultValue 1 */
  replicas?: number;
  /** How long events are kept. @defaultValue 90 */
  eventDays?: number;
  /** Space for events on the server; the oldest go first. @defaultValue 1 GiB */
  eventBytes?: number;
}

/**
 * Makes the bucket and the stream, or changes those that are there to what the fleet needs; what they hold stays. A station may not:
 * it is for the administrator's or the controller's user.
 */
export async function makeBuckets(
  line: Line,
  session: Session,
  stream: string,
  { replicas = 1, eventDays = 90, eventBytes = 2 ** 30 }: CreateFleetOptions,
): Promise<void> {
  const { kv, jetstream, transport } = line.peers;
  const republish = { src: `$KV.${line.bucket}.>`, dest: changeSubject(line.bucket, '>') };
  await new kv.Kvm(session.js).create(line.bucket, {
    description: 'procvision-runner: desired and reported state',
    history: 1,
    replicas,
    allow_direct: true,
    republish,
    maxValueSize: 1_000_000, // below max_payload, whose default is 1 MiB
    markerTTL: 30 * MINUTE_MS,
    storage: jetstream.StorageType.File,
  });
  const bucket = `KV_${line.bucket}`;
  const { config } = await session.jsm.streams.info(bucket);
  // The client opens a bucket that is there as it is, whatever was asked for.
  if (!config.allow_direct || !config.allow_msg_ttl || config.republish?.dest !== republish.dest) {
    await session.jsm.streams.update(bucket, {
      allow_direct: true,
      republish,
      allow_msg_ttl: true,
      subject_delete_marker_ttl: transport.nanos(30 * MINUTE_MS),
    });
  }
  const wanted = {
    description: 'procvision-runner: events of stations',
    subjects: ['events.*'],
    allow_direct: true,
    max_age: transport.nanos(eventDays * DAY_MS),
    max_bytes: eventBytes,
    num_replicas: replicas,
    duplicate_window: transport.nanos(10 * MINUTE_MS),
  } satisfies Partial<StreamConfig>;
  try {
    await session.jsm.streams.update(stream, wanted);
  } catch (error) {
    if (!(error instanceof jetstream.JetStreamApiError) || error.code !== 10059) throw error;
    await session.jsm.streams.add({
      ...wanted,
      name: stream,
      storage: jetstream.StorageType.File,
      discard: jetstream.DiscardPolicy.Old,
    });
  }
}
