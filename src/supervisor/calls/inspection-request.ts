import { isRecord } from '../../arguments.js';
import { inspect, isDeepStrictEqual } from 'node:util';
import { RunnerError } from '../../errors.js';
import { checkImage } from '../../frames/check-image.js';
import type { ImageInput } from '../../frames/types.js';
import { LONGEST_TIMER_MS } from '../../longest-timer.js';
import { checkOneId } from '../../product-ids.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { InspectionRequest } from '../types.js';
import { isTraceparent, TRACEPARENT_RULE } from './traceparent.js';

/**
 * Refuses a request that no worker should see, before anything is queued or copied.
 *
 * @throws RunnerError `invalid_params` naming the field; `invalid_image` naming what was expected and given
 */
export function checkRequest(request: InspectionRequest | undefined): asserts request is InspectionRequest {
  // The types forbid most of this; hosts in plain JavaScript need the check.
  if (request === undefined || !isRecord(request)) throw invalid('request', 'must be an object', request);
  const { target, stepIndex, timeoutMs } = request;
  const { productId, old } = idsOf(request);
  const id = productId ?? old;
  if (target !== undefined) {
    for (const field of ['name', 'version'] as const) {
      if (typeof target[field] !== 'string' || target[field] === '') {
        throw invalid(`target.${field}`, 'must be a name', target[field]);
      }
    }
  } else if (typeof id !== 'string' || id === '') {
    throw invalid(nameOfId(request), 'must be a product id (or give a target)', id);
  }
  if (!Number.isInteger(stepIndex) || stepIndex < 0) {
    throw invalid(
      'stepIndex',
      'must be a whole number from 1, or 0 for a package that counts from 0',
      stepIndex,
    );
  }
  checkFields(request);
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS)) {
    throw invalid('timeoutMs', `must be a number above 0 and at most ${LONGEST_TIMER_MS}`, timeoutMs);
  }
  const { traceparent } = request;
  if (traceparent !== undefined && !isTraceparent(traceparent)) {
    throw invalid('traceparent', TRACEPARENT_RULE, traceparent);
  }
  checkGiven(request.image, 'image');
  const { guideImage } = request;
  if (guideImage !== undefined && guideImage !== 'same') checkGiven(guideImage, 'guideImage');
}

/**
 * Refuses requests that are not for one product id, or version, and one step. What else is wrong with one of them is its own
 * failure.
 *
 * @throws RunnerError `invalid_params` naming the request and the field
 */
export function checkMany(requests: readonly InspectionRequest[]): void {
  if (!Array.isArray(requests)) throw invalid('requests', 'must be a list', requests);
  let wanted: unknown;
  for (const [index, request] of requests.entries()) {
    if (!isRecord(request)) throw invalid(`requests.${index}`, 'must be an object', request);
    const { productId, old } = idsOf(request);
    const { name, version } = (request.target ?? {}) as Record<string, unknown>;
    const where = { productId: productId ?? old, name, version, stepIndex: request.stepIndex };
    wanted ??= where;
    if (isDeepStrictEqual(where, wanted)) continue;
    throw invalid(
      `requests.${index}`,
      `must be for the product id, target and stepIndex of the first request (${inspect(wanted)})`,
      where,
    );
  }
}

/** Refuses a step that the version does not declare; where it declares none, steps are from 1. @throws RunnerError `invalid_params` */
export function checkStep({ stepIndex }: InspectionRequest, entry: RegistryEntry): void {
  const declared = entry.step_indexes ?? [];
  const isOne = declared.length > 0 ? declared.includes(stepIndex) : stepIndex >= 1;
  if (isOne) return;
  const rule = declared.length > 0 ? `must be one of its steps (${declared.join(', ')})` : 'must be from 1';
  throw new RunnerError(
    'invalid_params',
    `The request cannot be made: stepIndex of a call to ${entry.name} ${entry.version} ${rule}, not ${stepIndex}`,
    { details: { path: 'stepIndex', name: entry.name, version: entry.version } },
  );
}

/** What is handed to the algorithm as it is. */
function checkFields(request: InspectionRequest): void {
  const { stepDesc, session, userParams, guideInfo } = request;
  const { productId, old } = idsOf(request);
  checkText('productId', productId);
  checkText('pid', old);
  checkText('stepDesc', stepDesc);
  checkText('session.id', session?.id);
  checkOneId('The request cannot be made', { productId, pid: old });
  if (session?.id === '') throw invalid('session.id', 'must not be empty', '');
  checkRecord('session', session);
  checkRecord('session.context', session?.context);
  checkRecord('userParams', userParams);
  if (guideInfo !== undefined && !Array.isArray(guideInfo)) {
    throw invalid('guideInfo', 'must be a list', guideInfo);
  }
}

function checkText(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw invalid(field, 'must be a text', value);
}

function checkRecord(field: string, value: unknown): void {
  if (value !== undefined && !isRecord(value)) throw invalid(field, 'must be an object', value);
}

function checkGiven(image: ImageInput, field: string): void {
  if (!isRecord(image)) throw invalid(field, 'must be an image', image);
  if (!['data', 'encoded', 'file', 'pixels'].some((key) => key in image)) {
    throw invalid(field, 'must have data, encoded or file, or be a frame', Object.keys(image));
  }
  if ('data' in image && (typeof image.data !== 'object' || Array.isArray(image.data))) {
    throw invalid(`${field}.data`, 'must be an ArrayBufferView or an ArrayBuffer', typeof image.data);
  }
  checkImage(image);
}

function invalid(path: string, rule: string, value: unknown): RunnerError {
  return new RunnerError(
    'invalid_params',
    `The request cannot be made: ${path} ${rule}, not ${inspect(value, { depth: 0, maxStringLength: 60 })}`,
    {
      details: { path },
    },
  );
}

/** What the caller called the product id. */
function nameOfId(request: InspectionRequest): string {
  const { productId, old } = idsOf(request);
  return productId === undefined && old !== undefined ? 'pid' : 'productId';
}

/** The product id under both its names. */
function idsOf({ productId, pid }: { productId?: unknown; pid?: unknown }): {
  productId: unknown;
  old: unknown;
} {
  return { productId, old: pid };
}
