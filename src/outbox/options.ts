import type { KeyObject } from 'node:crypto';
import { types } from 'node:util';
import type { ImageRegion } from '../frames/types.js';
import {
  abortSignal,
  callback,
  choice,
  Door,
  group,
  lazily,
  must,
  name,
  number,
  option,
  text,
  values,
  whole,
  type Option,
} from '../options.js';
import type {
  EncodedPicture,
  InspectedImage,
  InspectionFacts,
  OutboxOptions,
  PictureRules,
} from './types.js';

/** Days that a timer or a date can still count. */
const MOST_DAYS = 36_500;

/** The first part of each `ingest_id`, which `/` ends; Unicode, as it becomes a part of subjects and of names of files. */
function stationName(): Option<string | undefined> {
  const fits = (value: unknown) =>
    typeof value === 'string' && /^[^/]+$/.test(value) && Buffer.from(value).toString() === value;
  return option('text', "must be a name without '/'", fits);
}

/** What the calls of an outbox take. */
export const doors = /* @__PURE__ */ lazily(() => ({
  open: new Door<OutboxOptions>('Outbox.open(folder, { station })', {
    station: must(stationName()),
    maxBytes: whole(1 << 20),
    maxAgeDays: whole(1, MOST_DAYS),
    retentionDays: whole(0, MOST_DAYS),
    maxPending: whole(1, 1_000_000),
    pictures: group<PictureRules>({
      keep: choice('all', 'ng', 'none'),
      okShare: number(0, 1),
      choose: callback<NonNullable<PictureRules['choose']>>(),
      format: choice('jpeg', 'webp', 'png'),
      quality: whole(1, 100),
      thumbnail: whole(0, 10_000),
      cutouts: whole(0, 100),
      cutoutMargin: whole(0, 10_000),
      masks: regions(),
    }),
    signingKey: option<string | KeyObject>(
      'key',
      'must be an Ed25519 private key, as PEM or key object',
      (value) => (typeof value === 'string' && value.includes('-----BEGIN')) || isKeyObject(value),
    ),
    onShed: callback<NonNullable<OutboxOptions['onShed']>>(),
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
    image: option<InspectedImage>(
      'inspected',
      'must be { encoded } or { data, width, height, pixelFormat }',
      isImage,
    ),
    masks: regions(),
    signal: abortSignal(),
  }),
}));

function isKeyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'private';
}

/** Regions of a picture. */
function regions(): Option<readonly ImageRegion[] | undefined> {
  const isRegion = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return false;
    const { x, y, width, height } = value as Partial<ImageRegion>;
    return [x, y, width, height].every((one) => Number.isInteger(one));
  };
  return option(
    'regions',
    'must be a list of regions { x, y, width, height }',
    (value) => Array.isArray(value) && value.every(isRegion),
  );
}

function isImage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { encoded, data, width, height } = value as Record<string, unknown>;
  if ('encoded' in value) return encoded instanceof Uint8Array;
  const isData = ArrayBuffer.isView(data) || types.isAnyArrayBuffer(data);
  return isData && Number.isInteger(width) && Number.isInteger(height);
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
