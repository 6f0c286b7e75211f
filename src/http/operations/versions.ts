import * as v from 'valibot';
import { settleOrAbort } from '../../abort.js';
import type { VersionPolicy } from '../../supervisor/policy.js';
import { askedBy, notDeployed } from '../actions.js';
import { fields, noList, readJson, readOptionalJson, text } from '../body.js';
import { supervisorOf } from '../parts.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { asJson } from './as-json.js';

const WITHOUT = 'runs no versions';

const workersRule = 'must be a whole number from 1 to 1024';

/** Bodies of the endpoints of one version. */
export const VERSION_BODIES = {
  start: fields({
    workers: v.optional(
      v.pipe(
        v.number(workersRule),
        v.integer(workersRule),
        v.minValue(1, workersRule),
        v.maxValue(1024, workersRule),
      ),
    ),
  }),
  reset: fields({ session: v.optional(text) }),
  policy: v.pipe(noList, v.record(v.string(), v.unknown(), 'must be an object')),
};

/** GET /status: every version that is started, and each of its workers. */
export function status(call: Call): Response {
  const { registry } = call.options;
  const all = supervisorOf(call, WITHOUT).status();
  return Response.json(asJson(all, registry.layout.root), { headers: { 'cache-control': 'no-store' } });
}

/** POST /algorithms/\{name\}/\{version\}/start: answers with its status once its workers are ready. */
export async function start(call: Call): Promise<Response> {
  const { name, version } = versionOf(call);
  const supervisor = supervisorOf(call, WITHOUT);
  const { workers } = await readOptionalJson(call, VERSION_BODIES.start);
  await supervisor.start(name, version, {
    ...(workers !== undefined && { workers }),
    signal: call.request.signal,
  });
  return Response.json(statusOf(call, name, version));
}

/** POST /algorithms/\{name\}/\{version\}/stop: calls under way are finished first. */
export async function stop(call: Call): Promise<Response> {
  const supervisor = supervisorOf(call, WITHOUT);
  await readOptionalJson(call, fields({}));
  const { name, version } = await deployedVersion(call);
  // A client that goes away does not cut off the calls of others: the signal ends the wait alone.
  await settleOrAbort(call.request.signal, supervisor.stop(name, version));
  return new Response(null, { status: 204 });
}

/** POST /algorithms/\{name\}/\{version\}/reset: closes its circuit; with a session in the body the algorithm forgets that session. */
export async function reset(call: Call): Promise<Response> {
  const supervisor = supervisorOf(call, WITHOUT);
  const { session } = await readOptionalJson(call, VERSION_BODIES.reset);
  const { name, version } = await deployedVersion(call);
  const { signal } = call.request;
  if (session === undefined) await supervisor.resetCircuit(name, version, { signal });
  else await supervisor.reset({ id: session }, { signal });
  return new Response(null, { status: 204 });
}

/** POST /algorithms/\{name\}/\{version\}/verify: compares every file with what was sealed. */
export async function verify(call: Call): Promise<Response> {
  const { name, version } = versionOf(call);
  const { deployer, registry } = call.options;
  await readOptionalJson(call, fields({}));
  const report = await deployer.verify(name, version, { signal: call.request.signal });
  return Response.json(asJson(report, registry.layout.root));
}

/** PUT /algorithms/\{name\}/\{version\}/policy: in place of what was kept for it before. */
export async function configure(call: Call): Promise<Response> {
  const { name, version } = versionOf(call);
  const supervisor = supervisorOf(call, WITHOUT);
  const named = readQuery(call.url, QUERIES.policy);
  const policy = (await readJson(call, VERSION_BODIES.policy)) as VersionPolicy;
  await supervisor.configure(name, version, policy, { ...named, ...askedBy(call) });
  const { registry } = call.options;
  return Response.json(asJson(registry.policyOf(name, version) ?? {}, registry.layout.root));
}

function statusOf(call: Call, name: string, version: string): unknown {
  const all = supervisorOf(call, WITHOUT).status();
  const found = all.find((one) => one.name === name && one.version === version);
  return asJson(found, call.options.registry.layout.root);
}

function versionOf({ params: { name = '', version = '' } }: Call): { name: string; version: string } {
  return { name, version };
}

async function deployedVersion(call: Call): Promise<{ name: string; version: string }> {
  const { name, version } = versionOf(call);
  const entry = await call.options.registry.get(name, version, { signal: call.request.signal });
  if (!entry) throw notDeployed(name, version);
  return { name, version };
}
