import type { StreamConfig } from '@nats-io/jetstream';
import type { Line, Session } from './line.js';
import { changeSubject } from './watch.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Of an event, with its headers: see `MOST_EVENT_BYTES` of the agent. */
const MOST_MESSAGE_BYTES = 32 * 1_024;

/** What `createFleet()` makes. */
export interface CreateFleetOptions {
  /** Servers of a cluster that keep each value and event. @defaultValue 1 */
  replicas?: number;
  /** How long events are kept. @defaultValue 90 */
  eventDays?: number;
  /** Space for events on the server; the oldest go first. A station has a quarter of it at most. @defaultValue 1 GiB */
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
    storage: jetstream.StorageType.File,
  });
  const bucket = `KV_${line.bucket}`;
  // The client opens a bucket that is there as it is, whatever was asked for; and it lets messages roll up. A message with the header
  // `Nats-Rollup: all` removes every other message of the stream, whatever its writer may write: so that no station may send one. Marks of
  // values whose time is over need roll-ups (ADR-43 of NATS), and go too: who waits for the lease looks for it.
  await session.jsm.streams.update(bucket, {
    allow_direct: true,
    republish,
    allow_msg_ttl: true,
    allow_rollup_hdrs: false,
    subject_delete_marker_ttl: 0,
  });
  const wanted = {
    description: 'procvision-runner: events of stations',
    subjects: ['events.*'],
    allow_direct: true,
    max_age: transport.nanos(eventDays * DAY_MS),
    max_bytes: eventBytes,
    // One station takes a quarter at most, whatever it sends: the oldest that go are its own.
    max_msg_size: MOST_MESSAGE_BYTES,
    max_msgs_per_subject: Math.max(64, Math.floor(eventBytes / 4 / MOST_MESSAGE_BYTES)),
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
