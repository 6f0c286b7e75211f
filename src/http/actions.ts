import { RunnerError } from '../errors.js';
import type { RegistryEntry } from '../registry/types.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import { BODIES, readJson, refuseBody } from './body.js';
import { RequestFault } from './problem.js';
import { QUERIES, readQuery } from './query.js';
import { MAX_SWITCH_BYTES, SWITCH_BODY } from './switch-body.js';
import type { Call } from './types.js';

/** GET /algorithms, filtered by `state` and `name`. */
export async function list({ url, request, options }: Call): Promise<Response> {
  const { name, state } = readQuery(url, QUERIES.list);
  const entries = await options.registry.list({ name }, { signal: request.signal });
  const now = withCalls(entries, options.supervisor);
  return Response.json(now.filter((entry) => state === undefined || entry.state === state));
}

/** GET /algorithms/\{name\}/\{version\}. */
export async function get({ request, params, options }: Call): Promise<Response> {
  const { name = '', version = '' } = params;
  const entry = await options.registry.get(name, version, { signal: request.signal });
  if (!entry) throw notDeployed(name, version);
  return Response.json(withCalls([entry], options.supervisor)[0]);
}

/** GET /algorithms/active: the mapping of every product id. */
export async function listActive({ request, options }: Call): Promise<Response> {
  return Response.json(await options.registry.active({ signal: request.signal }));
}

/** POST /algorithms/activate. */
export async function activate(call: Call): Promise<Response> {
  const change = await readJson(call, BODIES.activate);
  return Response.json(await call.options.registry.activate({ ...change, ...askedBy(call) }));
}

/** POST /algorithms/deactivate. */
export async function deactivate(call: Call): Promise<Response> {
  const change = await readJson(call, BODIES.deactivate);
  await call.options.registry.deactivate({ ...change, ...askedBy(call) });
  return new Response(null, { status: 204 });
}

/** POST /algorithms/switch: warm with a supervisor; without one the mapping alone changes. With a `share` no mapping changes yet. */
export async function switchVersion(call: Call): Promise<Response> {
  const { registry, supervisor } = call.options;
  const change = { ...(await readJson(call, SWITCH_BODY, { maxBytes: MAX_SWITCH_BYTES })), ...askedBy(call) };
  if (!supervisor) {
    const needing = (['probation', 'share', 'steps', 'warmUp'] as const).find(
      (field) => change[field] !== undefined,
    );
    if (needing !== undefined) throw withoutSupervisor(needing);
    return Response.json(await registry.switch(change));
  }
  await supervisor.switch(change);
  const active = await registry.active();
  return Response.json([...new Set(change.pids)].map((pid) => active[pid]));
}

/** DELETE /algorithms/\{name\}/\{version\}. */
export async function uninstall(call: Call): Promise<Response> {
  const { name = '', version = '' } = call.params;
  const asked = readQuery(call.url, QUERIES.change);
  await refuseBody(call);
  await call.options.deployer.uninstall(name, version, { ...asked, ...askedBy(call) });
  return new Response(null, { status: 204 });
}

/** Options of every change: the abort signal of the request, and the operator, where `authorize` named one. */
export function askedBy({ request, operator }: Call): { signal: AbortSignal; operator?: string } {
  return { signal: request.signal, ...(operator !== undefined && { operator }) };
}

/** What is answered for a version that is not there. */
export function notDeployed(name: string, version: string): RunnerError {
  return new RunnerError('not_found', `${name} ${version} is not deployed: install it first`, {
    details: { name, version },
  });
}

function withoutSupervisor(field: string): RequestFault {
  return new RequestFault(
    'bad_request',
    `${field}: this server only changes mappings, it has no supervisor to run a version. Leave ${field} out`,
  );
}

/** The registry knows what runs, the supervisor what computes just now. */
function withCalls(entries: RegistryEntry[], supervisor: AlgorithmSupervisor | undefined): RegistryEntry[] {
  const busy = (supervisor?.status() ?? []).filter(({ state }) => state === 'executing');
  return entries.map((entry) =>
    busy.some(({ name, version }) => name === entry.name && version === entry.version)
      ? { ...entry, state: 'executing' }
      : entry,
  );
}
