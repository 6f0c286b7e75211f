import type { KeyObject } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import {
  abortSignal,
  callback,
  choice,
  Door,
  duration,
  flag,
  group,
  instance,
  lazily,
  must,
  name,
  number,
  option,
  strings,
  text,
  whole,
  type Option,
} from '../../options.js';
import type { Clock } from '../../supervisor/clock.js';
import { sequentialTestOptions } from '../../supervisor/switching/sequential-test.js';
import type { FleetConnection } from '../ports.js';
import type { MaintenanceWindow } from '../state.js';
import type { GateOptions, RolloutRequest, WaveOptions } from './order.js';
import type { NeededBytes } from './plan.js';
import type {
  FleetControllerOptions,
  FleetOperatorOptions,
  GroupOptions,
  ApprovalWord,
  OperatorWord,
  RebuildOptions,
} from './types.js';

/** A lease of a second and more: the server counts times to live in seconds. */
const SHORTEST_LEASE_MS = 1_000;

/** A key, as PEM or key object; whether it is one is seen when it is read. */
function key(): Option<string | KeyObject | undefined> {
  return option('key', 'must be a key, as PEM or KeyObject', isKey);
}

function isKey(value: unknown): boolean {
  if (typeof value === 'string') return value !== '';
  return typeof value === 'object' && value !== null && 'asymmetricKeyType' in value;
}

function listOf<T>(rule: string, what: string, fits: (item: unknown) => boolean): Option<T | undefined> {
  return option(rule, `must be a list of ${what}`, (value) => Array.isArray(value) && value.every(fits));
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Promise);
}

const common = () => ({
  connection: must(instance<FleetConnection>('a FleetConnection', 'onConnect', 'close')),
  plant: name(),
  publicKeys: listOf<readonly (string | KeyObject)[]>('keys', 'keys', isKey),
});

const gates = () =>
  group<GateOptions>({
    acceptedShare: number(0, 1),
    failedShare: number(0, 1),
    errors: sequentialTestOptions(),
    maxDrift: number(0, 1),
    maxLatencyRatio: number(0, 1e6),
    minCalls: whole(1),
    soakMs: duration(),
    approval: flag(),
    deadlineMs: duration(),
  });

const rollout = () => ({
  id: text(),
  name: name(),
  version: name(),
  digest: name(),
  sources: strings(),
  sizeBytes: whole(0),
  productIds: strings(),
  waves: must(listOf<WaveOptions[]>('waves', 'waves', isObject)),
  gates: gates(),
  onFailure: choice('back', 'halt'),
  by: text(),
  signal: abortSignal(),
});

/** What each call of a controller and of an operator takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  controller: new Door<FleetControllerOptions>('new FleetController({ connection, plant, privateKey })', {
    ...common(),
    privateKey: must(key()),
    holder: text(),
    leaseMs: duration(SHORTEST_LEASE_MS),
    clock: instance<Clock>('a Clock', 'now', 'after'),
  }),
  operator: new Door<FleetOperatorOptions>('new FleetOperator({ connection, plant })', {
    ...common(),
    privateKey: key(),
  }),
  rollout: new Door<RolloutRequest & OperationOptions>(
    'operator.rollout({ name, version, digest, waves })',
    rollout(),
  ),
  plan: new Door<RolloutRequest & OperationOptions & { needed?: NeededBytes }>('operator.plan({ … })', {
    ...rollout(),
    needed: callback<NeededBytes>(),
  }),
  wave: new Door<WaveOptions>('a wave of the rollout', {
    ...{ group: text(), stations: strings(), share: number(0, 1), gates: gates() },
  }),
  setGroup: new Door<GroupOptions>('operator.setGroup({ group, stations })', {
    group: name(),
    stations: must(strings()),
    window: group<MaintenanceWindow>({
      from: name(),
      to: name(),
      days: listOf<number[]>('days', 'days, 0 for Sunday', isDay),
    }),
    maxUnavailable: option<number | string>(
      'unavailable',
      "must be a whole number from 1, or a share such as '10%'",
      isMost,
    ),
    signal: abortSignal(),
  }),
  word: new Door<OperatorWord>('operator: the last argument', {
    ...{ by: text(), reason: text(), signal: abortSignal() },
  }),
  approval: new Door<ApprovalWord>('operator.approve(id, { … })', {
    ...{ by: text(), reason: text(), wave: whole(1), signal: abortSignal() },
  }),
  rebuild: new Door<RebuildOptions>('operator.rebuild({ … })', {
    ...{ by: text(), reason: text(), dryRun: flag(), signal: abortSignal() },
  }),
  look: new Door<OperationOptions>('operator: the last argument', { signal: abortSignal() }),
}));

function isDay(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 6;
}

function isMost(value: unknown): boolean {
  return typeof value === 'string'
    ? /^(?:[1-9]\d?|100)%$/.test(value)
    : Number.isInteger(value) && (value as number) >= 1;
}
