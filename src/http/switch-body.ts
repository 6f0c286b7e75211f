import * as v from 'valibot';
import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { SEQUENTIAL_TEST_BOUNDS } from '../supervisor/switching/sequential-test.js';
import { LEAST_SHARE } from '../supervisor/switching/share-options.js';
import type { WarmUp } from '../supervisor/switching/types.js';
import { fields, force, noList, operator, packageName, pids, text, whole } from './body.js';

/** It may bring two pictures. */
export const MAX_SWITCH_BYTES = 32 * 1024 * 1024;

const upTo = (most: number) => {
  const rule = most === Infinity ? 'must be a number from 0' : `must be a number from 0 to ${most}`;
  return v.optional(v.pipe(v.number(rule), v.minValue(0, rule), v.maxValue(most, rule)));
};

const between = (least: number, most: number) => {
  const rule = `must be a number from ${least} to ${most}`;
  return v.optional(v.pipe(v.number(rule), v.minValue(least, rule), v.maxValue(most, rule)));
};

const { acceptableRate, rejectableRate, alpha, beta } = SEQUENTIAL_TEST_BOUNDS;

const probation = fields({
  calls: v.optional(whole(1)),
  durationMs: v.optional(whole(1, LONGEST_TIMER_MS)),
  maxCrashes: v.optional(whole(1)),
  minCalls: v.optional(whole(1)),
  maxTimeoutRate: upTo(1),
  maxErrorRate: upTo(1),
  maxLatencyRatio: upTo(Infinity),
  test: v.optional(
    fields({
      acceptableRate: between(...acceptableRate),
      rejectableRate: between(...rejectableRate),
      alpha: between(...alpha),
      beta: between(...beta),
    }),
  ),
});

const shareRule = `must be a number from ${LEAST_SHARE} to 1`;
const share = v.pipe(v.number(shareRule), v.minValue(LEAST_SHARE, shareRule), v.maxValue(1, shareRule));

const bytes = v.pipe(
  v.string('must be bytes in base64'),
  v.minLength(1, 'must not be empty'),
  v.transform((value): Uint8Array => Buffer.from(value, 'base64')),
);
const size = { width: whole(1, 65_535), height: whole(1, 65_535) };

/** JPEG or PNG, or the pixels themselves. */
const IMAGES = [
  fields({ encoded: bytes, ...size }),
  fields({ data: bytes, ...size, channels: v.optional(v.picklist([1, 3], 'must be 1 or 3')) }),
] as const;
const rule = 'must have encoded (JPEG or PNG in base64) or data (pixels in base64), with width and height';

const warmUp = fields({
  image: v.union(IMAGES, rule),
  guideImage: v.optional(v.union([...IMAGES, v.picklist(['same'])], `${rule}, or be 'same'`)),
  stepIndex: v.optional(whole(0)),
  stepDesc: v.optional(text),
  userParams: v.optional(v.pipe(noList, v.record(v.string(), v.unknown(), 'must be an object'))),
  calls: v.optional(whole(1, 1000)),
});

/** Body of a switch: what `AlgorithmSupervisor.switch` takes, images in base64. */
export const SWITCH_BODY = fields({
  ...{ ...packageName, pids, operator, force },
  probation: v.optional(probation),
  share: v.optional(share),
  steps: v.optional(v.array(share, 'must be a list of shares')),
  warmUp: v.optional(warmUp as v.GenericSchema<unknown, WarmUp>),
});
