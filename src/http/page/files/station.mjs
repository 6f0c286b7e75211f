/** What the page knows of the station: it asks once, follows the events, and asks again for what they change. */
import { eventsIn, Failure, get, send } from './api.mjs';

const STATUS_EVERY_MS = 2_000;
const BACK_AFTER_MS = [500, 1_000, 2_000, 4_000];
/** Events after which a list of versions, or which version serves what, may be another. */
const OF_STORE = [
  ...[
    'registered',
    'unregistered',
    'activated',
    'deactivated',
    'switched',
    'rolledBack',
    'changed',
    'configured',
  ],
  ...[
    'paramsSet',
    'installed',
    'uninstalled',
    'pruned',
    'recovered',
    'switchedBack',
    'accepted',
    'drained',
    'storeFound',
  ],
];
const OF_WORKERS = ['state', 'ready', 'exit', 'circuitOpen', 'circuitClosed'];
const OTHERS = ['result', 'callFailed', 'log', 'strayOutput', 'invalid', 'storeLost', 'damaged'];

export const station = {
  entries: [],
  active: {},
  status: [],
  health: { ready: false, checks: [] },
  isAway: false,
  isKnown: false,
};
const listeners = new Set();
const eventListeners = new Map();

/** Calls back after each change of what is known. */
export const onChange = (listener) => listeners.add(listener);
/** Calls back for each event of the station that has the name. */
export const onEvent = (name, listener) =>
  eventListeners.set(name, [...(eventListeners.get(name) ?? []), listener]);

const changed = () => {
  for (const listener of listeners) listener(station);
};

function away(isAway) {
  if (station.isAway === isAway) return;
  station.isAway = isAway;
  changed();
}

/** Asks for what works now; `withStore` also for what is deployed and what serves. */
async function look(withStore) {
  try {
    const [status, health, entries, active] = await Promise.all([
      get('status', { expected: [501] }), // a server that runs no versions
      get('health/ready', { expected: [503] }),
      ...(withStore ? [get('algorithms'), get('algorithms/active')] : []),
    ]);
    const running = Array.isArray(status) ? status : [];
    Object.assign(station, { status: running, health, isKnown: true, ...(withStore && { entries, active }) });
    station.isAway = false;
    changed();
  } catch (error) {
    if (error instanceof Failure && error.isAway) away(true);
    else throw error;
  }
}

let wanted;
let looking;

/** Asks again, once for all that ask for it at about the same time. */
export function refresh(withStore = true) {
  wanted = { withStore: withStore || wanted?.withStore === true };
  looking ??= (async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    while (wanted) {
      const { withStore: all } = wanted;
      wanted = undefined;
      await look(all).catch(() => undefined); // the next look tells it, too
    }
  })().finally(() => (looking = undefined));
  return looking;
}

function took({ name, data, id }) {
  if (id !== undefined) lastId = id;
  if (OF_STORE.includes(name) || name === 'missed') void refresh();
  else if (OF_WORKERS.includes(name)) void refresh(false);
  for (const listener of eventListeners.get(name) ?? []) listener(data);
}

let lastId;

/** Follows the events without end. Those that came while the station was away are sent when it is back. */
async function follow() {
  const names = [...OF_STORE, ...OF_WORKERS, ...OTHERS].join(',');
  for (let failed = 0; ; failed++) {
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(lastId !== undefined && { 'last-event-id': lastId }),
      };
      const response = await send(`events?${new URLSearchParams({ names, kept: 'true' })}`, { headers });
      failed = 0;
      void refresh();
      for await (const event of eventsIn(response)) took(event);
    } catch (error) {
      // A station that refuses the page is not away: what it says is shown.
      if (error instanceof Failure && !error.isAway) throw error;
    }
    away(true);
    await new Promise((resolve) =>
      setTimeout(resolve, BACK_AFTER_MS[Math.min(failed, BACK_AFTER_MS.length - 1)]),
    );
  }
}

/** Begins; rejects where the station refuses the page. */
export async function start() {
  await look(true);
  setInterval(() => {
    if (document.visibilityState === 'visible') void refresh(!station.isKnown);
  }, STATUS_EVERY_MS);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refresh();
  });
  await follow();
}

const isOf =
  ({ name, version }) =>
  (one) =>
    one.name === name && one.version === version;
export const statusOf = (ref) => station.status.find(isOf(ref));
export const servedBy = (ref) =>
  Object.values(station.active)
    .filter(isOf(ref))
    .map(({ pid }) => pid);

/** The shares of calls that a version has before it is mapped: `BOARD-7 10 % → 25 % → 50 % → 100 %`. */
export const sharesOf = (status) =>
  (status?.canary ?? []).map(({ productIds, share, steps }) => {
    const all = [share, ...steps, 1].map((one) => `${Number((one * 100).toFixed(1))} %`);
    return `${productIds.join(', ')} ${all.join(' → ')}`;
  });

/**
 * Where a version stands, in one word, and why: in the station's own words, and by the code of a failure.
 *
 * @returns `state`: serving, trial, idle, stored, starting, stopping, notReady, quarantined or invalid
 */
export function stateOf(entry, status = statusOf(entry), serves = servedBy(entry)) {
  const { detail: error, code } = status?.lastError ?? {};
  const ready = (status?.workers ?? []).filter(({ state }) => state === 'idle' || state === 'busy').length;
  if (entry.state === 'invalid') return { state: 'invalid' };
  if (status && status.circuit === 'open') return { state: 'quarantined', why: error, code };
  if (status?.trial) return { state: 'trial', why: status.trial.productIds.join(', ') };
  const shares = sharesOf(status);
  if (shares.length > 0) return { state: 'trial', why: shares.join('; ') };
  if (status?.state === 'stopping') return { state: 'stopping' };
  if (serves.length > 0) {
    if (ready > 0) return { state: 'serving' };
    return status?.state === 'starting'
      ? { state: 'starting' }
      : { state: 'notReady', why: error ?? healthOf(entry), code };
  }
  const barred = Object.values(station.active).flatMap((mapping) =>
    (mapping.barred ?? []).filter(isOf(entry)).map(({ reason }) => `${mapping.pid}: ${reason}`),
  );
  if (barred.length > 0) return { state: 'quarantined', why: barred.join('; ') };
  if (ready > 0) return { state: 'idle' };
  return { state: status?.state === 'starting' ? 'starting' : 'stored', why: error, code };
}

const healthOf = ({ name, version }) =>
  station.health.checks.find((check) => check.name === `${name} ${version}` && !check.ok)?.message;

/** Where the whole station stands. */
export function stationState() {
  if (station.isAway) return 'away';
  if (!station.isKnown) return 'starting';
  if (!station.health.ready) return 'notReady';
  if (Object.keys(station.active).length === 0) return 'idle';
  return station.status.some(({ trial, canary }) => trial || canary?.length > 0) ? 'trial' : 'serving';
}
