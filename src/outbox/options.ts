import { abortSignal, callback, Door, lazily, must, option, text, values, whole, name } from '../options.js';
import type { KeyObject } from 'node:crypto';
import type { EncodedPicture, InspectionFacts, OutboxOptions } from './types.js';

/** Days that a timer or a date can still count. */
const MOST_DAYS = 36_500;

/** What the calls of an outbox take. */
export const doors = /* @__PURE__ */ lazily(() => ({
  open: new Door<OutboxOptions>('Outbox.open(folder, { station })', {
    station: name(),
    maxBytes: whole(1 << 20),
    maxAgeDays: whole(1, MOST_DAYS),
    retentionDays: whole(0, MOST_DAYS),
    maxPending: whole(1, 1_000_000),
    signingKey: option<string | KeyObject>(
      'key',
      'must be an Ed25519 private key, as PEM or key object',
      (value) => (typeof value === 'string' && value.includes('-----BEGIN')) || isKeyObject(value),
    ),
    now: callback<() => number>(),
  }),
  record: new Door<InspectionFacts>('outbox.record(result, { productId, stepIndex })', {
    productId: name(),
    stepIndex: must(whole(0)),
    sessionId: text(),
    parameters: values(),
    traceId: text(),
    timestampMs: whole(0),
    packageDigest: text(),
    environmentRoot: text(),
    version: text(),
    pictures: option<readonly EncodedPicture[]>(
      'pictures',
      'must be a list of pictures { encoded, contentType, width, height }',
      (value) => Array.isArray(value) && value.every(isPicture),
    ),
    signal: abortSignal(),
  }),
}));

function isKeyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'private';
}

function isPicture(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { encoded, contentType, width, height } = value as Partial<EncodedPicture>;
  return (
    encoded instanceof Uint8Array &&
    typeof contentType === 'string' &&
    Number.isInteger(width) &&
    Number.isInteger(height)
  );
}
