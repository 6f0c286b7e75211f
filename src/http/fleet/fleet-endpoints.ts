import * as v from 'valibot';
import { RunnerError } from '../../errors.js';
import { fields, operator, packageName, readJson, readOptionalJson, text, whole } from '../body.js';
import { notServed } from '../parts.js';
import type { Call } from '../types.js';
import { FLEET_LIMIT_MS, type FleetLook } from './fleet-look.js';

const reason = v.optional(text);

/** Body of a halt: without a rollout all of them. */
export const HALT_BODY = fields({ rollout: v.optional(text), reason, operator });
/** Body of an approval. */
export const APPROVE_BODY = fields({
  rollout: text,
  wave: v.optional(whole(1)),
  operator,
});
/** Body of a way back for all: of what a rollout brings, or of a version. */
export const BACK_BODY = v.union(
  [fields({ rollout: text, reason, operator }), fields({ ...packageName, reason, operator })],
  'must have rollout, or name and version, and nothing else but reason and operator',
);

/** GET /fleet: the plant at a glance. */
export async function fleet(call: Call): Promise<Response> {
  return answer(await inTime(() => fleetOf(call).status()));
}

/** POST /fleet/halt: no further station is moved. */
export async function haltFleet(call: Call): Promise<Response> {
  const { rollout, ...word } = await readOptionalJson(call, HALT_BODY);
  return tell(call, (look, o) => look.desk.halt(rollout, { ...o, ...wordOf(word, call) }));
}

/** POST /fleet/approve: the wave that waits for it passes. */
export async function approveFleet(call: Call): Promise<Response> {
  const { rollout, wave, ...word } = await readJson(call, APPROVE_BODY);
  const approval = { ...wordOf(word, call), ...(wave !== undefined && { wave }) };
  return tell(call, (look, o) => look.desk.approve(rollout, { ...o, ...approval }));
}

/** POST /fleet/back: the version is barred, and each station that serves it goes back at once. */
export async function backFleet(call: Call): Promise<Response> {
  const { operator: by, reason: why, ...what } = await readJson(call, BACK_BODY);
  const word = wordOf({ operator: by, reason: why }, call);
  return tell(call, (look, o) => look.desk.back(what, { ...o, ...word }));
}

function fleetOf({ options: { fleetLook } }: Call): FleetLook {
  if (fleetLook) return fleetLook;
  throw notServed('fleet', 'knows no fleet');
}

/** A word to the fleet. A client that goes away does not take it back. */
async function tell(
  call: Call,
  say: (look: FleetLook, o: { signal: AbortSignal }) => Promise<unknown>,
): Promise<Response> {
  const look = fleetOf(call);
  try {
    return answer(await inTime(() => say(look, { signal: AbortSignal.timeout(FLEET_LIMIT_MS) })));
  } finally {
    look.forget();
  }
}

/** @throws RunnerError `timeout` where the bucket does not answer */
async function inTime<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!RunnerError.is(error, 'aborted')) throw error;
    throw new RunnerError(
      'unreachable',
      `The bucket of the fleet has not answered within ${FLEET_LIMIT_MS} ms: look at the line to its server`,
      { cause: error },
    );
  }
}

function wordOf(
  { operator: named, reason: why }: { operator?: string | undefined; reason?: string | undefined },
  { operator: known = named }: Call,
): { by?: string; reason?: string } {
  return { ...(known !== undefined && { by: known }), ...(why !== undefined && { reason: why }) };
}

function answer(body: unknown): Response {
  return Response.json(body, { headers: { 'cache-control': 'no-store' } });
}
