import type { MsgHdrs } from '@nats-io/transport-node';
import type { StoredValue, WatchOptions } from '../ports.js';
import { natsError } from './errors.js';
import type { Line, Session } from './line.js';
import { isWrittenAt } from './marks.js';
import { parsedValue } from './parsed-value.js';

/** Where the server says each change of the bucket, on a plain subject: `kv.fleet.desired.A`. */
export function changeSubject(bucket: string, key: string): string {
  return `kv.${bucket}.${key}`;
}

/** What the watch needs of a bucket. */
export interface WatchedBucket {
  line: Line;
  /** The present value of a key. */
  get: (key: string) => Promise<StoredValue | undefined>;
}

/**
 * Watches a key by a plain subscription to what the server says of each change (`republish` of the bucket), and reads the present value
 * when that stands. The client's own watch is a consumer: it says nothing after a line was silent, goes on from a wrong sequence in a
 * bucket that was made anew, costs the server a heartbeat for each, and a station that may create one may have messages
 * delivered to the subjects of others. A subscription stands as long as its connection does; each session of the line gets a new one.
 */
export function watchKey(
  { line, get }: WatchedBucket,
  key: string,
  { onChange, onEnd }: WatchOptions,
): () => void {
  const isPrefix = /[*>]/.test(key);
  let isOver = false;
  let stopPresent = (): void => undefined;
  const finish = () => {
    isOver = true;
    stopPresent();
    forget();
    line.closed.removeEventListener('abort', onClose);
  };
  const end = (reason: string) => {
    if (isOver) return;
    finish();
    onEnd(reason);
  };
  const onClose = () => {
    end('the line was closed');
  };
  const open = (session: Session) => {
    stopPresent();
    let isPresent = true;
    let revision = 0;
    const failed = (error: unknown) => {
      if (!isPresent) return undefined;
      const operation = { what: `watch of ${key}`, key, timeoutMs: line.attemptMs };
      const known = natsError(line.peers, error, operation);
      if (known.code === 'denied') end(known.message);
      return known;
    };
    const sub = session.nc.subscribe(changeSubject(line.bucket, key), {
      callback: (error, { subject, headers, data }) => {
        if (error) failed(error);
        if (error || !isPresent) return;
        const named = subject.slice(changeSubject(line.bucket, '').length);
        const isGone = isRemoval(headers);
        if (!isGone && !isWrittenAt(`$KV.${line.bucket}.${named}`, headers, true)) return;
        revision = Number(headers?.get('Nats-Sequence'));
        onChange(isGone ? undefined : { key: named, value: parsedValue(data), revision });
      },
    });
    stopPresent = () => {
      isPresent = false;
      if (!sub.isClosed()) sub.unsubscribe();
    };
    const read = async () => {
      for (let pauseMs = 250; isPresent; pauseMs = Math.min(5_000, 2 * pauseMs)) {
        try {
          const stored = await get(key);
          // A change that came in the meantime is newer.
          if ((isPresent as boolean) && stored && stored.revision > revision) onChange(stored);
          return;
        } catch (error) {
          failed(error);
          await line.pause(pauseMs, session.lost);
        }
      }
    };
    if (!isPrefix) void read();
  };
  line.closed.addEventListener('abort', onClose, { once: true });
  const forget = line.onSession(open);
  return finish;
}

/** Whether a message says that its key was removed, or that the time of its value is over: ADR-8 and ADR-43 of NATS. */
export function isRemoval(headers: MsgHdrs | undefined): boolean {
  return ['KV-Operation', 'Nats-Marker-Reason'].some((header) => headers?.has(header));
}
