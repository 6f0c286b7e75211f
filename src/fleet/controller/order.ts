import { RunnerError } from '../../errors.js';
import {
  DEFAULT_SEQUENTIAL_TEST,
  resolveSequentialTest,
  type SequentialTestOptions,
} from '../../supervisor/switching/sequential-test.js';
import { refOf } from '../state/refs.js';
import type { RolloutGates, RolloutOrder, RolloutWave } from '../state.js';

/** What must hold before a wave has passed. Shares are of the stations of the wave that can be reached. */
export interface GateOptions {
  /** Share that must have accepted the version, above 0 to 1. @defaultValue 1 */
  acceptedShare?: number;
  /** The rollout fails when more than this share has failed. @defaultValue 1 - acceptedShare */
  failedShare?: number;
  /** Sequential test of the share of failed calls; `{}` takes its defaults. @defaultValue none */
  errors?: Partial<SequentialTestOptions>;
  /**
   * The rollout fails when the share of NG moves by so much, up or down, from that of the version before on the same stations: a
   * sequential test each way. Above 0, below 1. @defaultValue none
   */
  maxDrift?: number;
  /** The rollout fails when the median latency is more than so many times that of the version before. @defaultValue none */
  maxLatencyRatio?: number;
  /** Calls before drift and latency are compared, of both versions. @defaultValue 100 */
  minCalls?: number;
  /** Time that the share of accepted stations must stand. @defaultValue 0 */
  soakMs?: number;
  /** Whether an operator must approve before the next wave begins. @defaultValue false */
  approval?: boolean;
  /** The rollout fails when the wave has not passed by then; waiting for approval counts not. @defaultValue none */
  deadlineMs?: number;
}

/** Stations that are moved together. */
export interface WaveOptions {
  /** Name of a group; or the stations themselves, by `stations`. */
  group?: string;
  stations?: string[];
  /** Share of the group, above 0 to 1, rounded up: a later wave of the group takes the rest. @defaultValue 1 */
  share?: number;
  /** What differs from the gates of the rollout. */
  gates?: GateOptions;
}

/** A rollout, as a host asks for it. */
export interface RolloutRequest {
  /** @defaultValue name, version and a number that is free */
  id?: string;
  name: string;
  version: string;
  /** Canonical digest of the package (lower-case hex): see `packageDigest` of `procvision-runner/signing`. */
  digest: string;
  /** Where stations fetch it. @defaultValue the sources that each station knows */
  sources?: string[];
  /** Size of its zip: for the estimate of a dry run. */
  sizeBytes?: number;
  /** Product ids that are moved. @defaultValue those of each station that a version of the package serves */
  productIds?: string[];
  waves: WaveOptions[];
  /** Gates of each wave that says nothing else. */
  gates?: GateOptions;
  /** What happens when a gate fails: `back` bars the version, `halt` leaves each station where it is. @defaultValue 'back' */
  onFailure?: 'back' | 'halt';
  /** Who asks for it. */
  by?: string;
}

/**
 * The order of a request, with every default filled in.
 *
 * @throws RunnerError `invalid_params` for waves that name no station, or gates that cannot hold
 */
export function orderOf(request: RolloutRequest): RolloutOrder {
  const { name, version, digest, sources, sizeBytes, productIds, waves, onFailure = 'back' } = request;
  refOf(name, version);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw wrong('digest', 'must be a SHA-256 in lower-case hex');
  if (productIds?.length === 0)
    throw wrong('productIds', 'must name at least one product id, or be left out');
  if (waves.length === 0) throw wrong('waves', 'must have at least one wave');
  return {
    ...{ name, version, digest },
    ...(sources && { sources }),
    ...(sizeBytes !== undefined && { size_bytes: sizeBytes }),
    ...(productIds && { products: [...new Set(productIds)].sort() }),
    waves: waves.map((wave, index) => waveOf(wave, request.gates ?? {}, `waves.${index}`)),
    on_failure: onFailure,
  };
}

function waveOf(
  { group, stations, share, gates }: WaveOptions,
  common: GateOptions,
  path: string,
): RolloutWave {
  if ((group === undefined) === (stations === undefined))
    throw wrong(path, 'must name either a group or its stations');
  if (stations?.length === 0) throw wrong(`${path}.stations`, 'must name at least one station');
  if (share !== undefined && stations)
    throw wrong(`${path}.share`, 'is of a group, and the wave names stations');
  if (share !== undefined && !(share > 0 && share <= 1))
    throw wrong(`${path}.share`, 'must be above 0, at most 1');
  return {
    ...(group !== undefined && { group }),
    ...(stations && { stations: [...new Set(stations)] }),
    ...(share !== undefined && { share }),
    gates: gatesOf({ ...common, ...gates }, `${path}.gates`),
  };
}

/** Gates with their defaults. @throws RunnerError `invalid_params` for gates that can neither hold nor fail */
export function gatesOf(given: GateOptions, path = 'gates'): RolloutGates {
  const { acceptedShare = 1, soakMs = 0, minCalls = 100, approval = false } = given;
  const { failedShare = 1 - acceptedShare, maxDrift, maxLatencyRatio, deadlineMs } = given;
  const at = (field: string) => `${path}.${field}`;
  if (!(acceptedShare > 0 && acceptedShare <= 1))
    throw wrong(at('acceptedShare'), 'must be above 0, at most 1');
  if (!(failedShare >= 0 && failedShare < 1)) throw wrong(at('failedShare'), 'must be from 0 to below 1');
  if (acceptedShare + failedShare > 1 + 1e-9) {
    const words = `must be at most ${(1 - acceptedShare).toFixed(3)} where acceptedShare is ${acceptedShare}: with more failures than that the wave could neither pass nor fail`;
    throw wrong(at('failedShare'), words);
  }
  if (maxDrift !== undefined && !(maxDrift > 0 && maxDrift < 1))
    throw wrong(at('maxDrift'), 'must be above 0, below 1');
  if (maxLatencyRatio !== undefined && !(maxLatencyRatio > 0))
    throw wrong(at('maxLatencyRatio'), 'must be above 0');
  if (deadlineMs !== undefined && deadlineMs <= soakMs)
    throw wrong(
      at('deadlineMs'),
      `must be above soakMs, which is ${soakMs}: the wave could never pass in time`,
    );
  const errors = given.errors && resolveSequentialTest(given.errors, 'rollout', at('errors.rejectableRate'));
  return {
    accepted_share: acceptedShare,
    failed_share: failedShare,
    ...(errors && { errors: errorsOf(errors) }),
    ...(maxDrift !== undefined && { max_drift: maxDrift }),
    ...(maxLatencyRatio !== undefined && { max_latency_ratio: maxLatencyRatio }),
    min_calls: minCalls,
    soak_ms: soakMs,
    approval,
    ...(deadlineMs !== undefined && { deadline_ms: deadlineMs }),
  };
}

function errorsOf(given: SequentialTestOptions): NonNullable<RolloutGates['errors']> {
  const { acceptableRate, rejectableRate, alpha, beta } = { ...DEFAULT_SEQUENTIAL_TEST, ...given };
  return { acceptable_rate: acceptableRate, rejectable_rate: rejectableRate, alpha, beta };
}

function wrong(path: string, rule: string): RunnerError {
  return new RunnerError('invalid_params', `The rollout cannot be made: ${path} ${rule}`, {
    details: { path },
  });
}
