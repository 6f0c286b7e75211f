import { activate, deactivate, get, list, listActive, switchVersion, uninstall } from './actions.js';
import { contentBlob, contentIndex, contentManifest } from './content/content.js';
import { approveFleet, backFleet, fleet, haltFleet } from './fleet/fleet-endpoints.js';
import { infer } from './inference/infer.js';
import { model, modelReady, server } from './inference/models.js';
import { inspect } from './inspections/inspect.js';
import { install } from './install.js';
import { openApiDocument } from './openapi.js';
import { thumbnail } from './inspections/thumbnail.js';
import { doctor, fix } from './operations/doctor.js';
import { events } from './operations/events.js';
import { live, ready } from './operations/health.js';
import { logs } from './operations/logs.js';
import { metrics } from './operations/metrics.js';
import { exportOutbox, outbox, pauseOutbox, resumeOutbox, retryOutbox } from './operations/outbox.js';
import { activeParameters, parameters } from './operations/parameters.js';
import {
  activeVersion,
  packages,
  params,
  prune,
  recover,
  removePackage,
  rollback,
  setParams,
} from './operations/store.js';
import { configure, reset, start, status, stop, verify } from './operations/versions.js';
import { RequestFault } from './problem.js';
import { QUERIES } from './query.js';
import type { AnswerType, Call, RunnerAction } from './types.js';
import { validate } from './validate.js';

/** One endpoint. */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  action: RunnerAction;
  answer: (call: Call) => Response | Promise<Response>;
  /** Names that its query may have. */
  query?: readonly string[];
  /** What it can answer with, best first; nothing needs no consent. @defaultValue JSON */
  types?: readonly AnswerType[];
}

const JSON_OR_EVENTS = ['application/json', 'text/event-stream'] as const;

const namesOf = (schema: { entries: object }) => Object.keys(schema.entries);

const DEPLOYING: readonly Route[] = [
  { method: 'GET', path: '/openapi.json', action: 'describe', answer: describe },
  { method: 'GET', path: '/algorithms', action: 'list', answer: list, query: namesOf(QUERIES.list) },
  { method: 'GET', path: '/algorithms/active', action: 'list', answer: listActive },
  {
    method: 'POST',
    path: '/algorithms/install',
    action: 'install',
    answer: install,
    query: namesOf(QUERIES.install),
    types: JSON_OR_EVENTS,
  },
  { method: 'POST', path: '/algorithms/activate', action: 'activate', answer: activate },
  {
    method: 'POST',
    path: '/algorithms/deactivate',
    action: 'deactivate',
    answer: deactivate,
    types: [],
  },
  { method: 'POST', path: '/algorithms/switch', action: 'switch', answer: switchVersion },
  {
    method: 'POST',
    path: '/algorithms/validate',
    action: 'validate',
    answer: validate,
    query: namesOf(QUERIES.validate),
  },
  { method: 'GET', path: '/algorithms/active/{productId}', action: 'list', answer: activeVersion },
  { method: 'GET', path: '/algorithms/active/{productId}/params', action: 'list', answer: params },
  {
    method: 'PUT',
    path: '/algorithms/active/{productId}/params',
    action: 'configure',
    answer: setParams,
    query: namesOf(QUERIES.policy),
  },
  { method: 'GET', path: '/algorithms/{name}/{version}', action: 'list', answer: get },
  { method: 'GET', path: '/algorithms/{name}/{version}/parameters', action: 'list', answer: parameters },
  {
    method: 'DELETE',
    path: '/algorithms/{name}/{version}',
    action: 'uninstall',
    answer: uninstall,
    query: namesOf(QUERIES.change),
    types: [],
  },
];

const INSPECTING: readonly Route[] = [
  {
    method: 'POST',
    path: '/inspections/{productId}',
    action: 'inspect',
    answer: inspect,
    query: namesOf(QUERIES.inspect),
  },
];

/** The Open Inference Protocol, version 2: each product id is a model, with the version that serves it or by a version of its own. */
const INFERRING: readonly Route[] = [
  { method: 'GET', path: '/v2', action: 'describe', answer: server },
  { method: 'GET', path: '/v2/health/live', action: 'health', answer: live },
  { method: 'GET', path: '/v2/health/ready', action: 'health', answer: ready },
  ...['/v2/models/{productId}', '/v2/models/{productId}/versions/{version}'].flatMap((path): Route[] => [
    { method: 'GET', path, action: 'describe', answer: model },
    { method: 'GET', path: `${path}/ready`, action: 'health', answer: modelReady },
    {
      method: 'POST',
      path: `${path}/infer`,
      action: 'inspect',
      answer: infer,
      types: ['application/json', 'application/octet-stream'],
    },
  ]),
];

const OPERATING: readonly Route[] = [
  { method: 'GET', path: '/health', action: 'health', answer: ready },
  { method: 'GET', path: '/health/live', action: 'health', answer: live },
  { method: 'GET', path: '/health/ready', action: 'health', answer: ready },
  { method: 'GET', path: '/status', action: 'status', answer: status },
  {
    method: 'GET',
    path: '/events',
    action: 'events',
    answer: events,
    query: namesOf(QUERIES.events),
    types: ['text/event-stream'],
  },
  {
    method: 'GET',
    path: '/metrics',
    action: 'metrics',
    answer: metrics,
    types: ['application/openmetrics-text'],
  },
  { method: 'GET', path: '/doctor', action: 'doctor', answer: doctor, query: namesOf(QUERIES.doctor) },
  {
    method: 'POST',
    path: '/doctor/fix',
    action: 'fix',
    answer: fix,
    query: namesOf(QUERIES.fix),
  },
  {
    method: 'GET',
    path: '/thumbnails/{requestId}',
    action: 'picture',
    answer: thumbnail,
    types: ['image/png'],
  },
  { method: 'GET', path: '/logs', action: 'logs', answer: logs, query: namesOf(QUERIES.logs) },
  { method: 'POST', path: '/algorithms/rollback', action: 'rollback', answer: rollback },
  {
    method: 'POST',
    path: '/algorithms/prune',
    action: 'prune',
    answer: prune,
    query: namesOf(QUERIES.prune),
  },
  {
    method: 'POST',
    path: '/algorithms/recover',
    action: 'recover',
    answer: recover,
    query: namesOf(QUERIES.recover),
  },
  { method: 'POST', path: '/algorithms/{name}/{version}/start', action: 'start', answer: start },
  { method: 'POST', path: '/algorithms/{name}/{version}/stop', action: 'stop', answer: stop, types: [] },
  { method: 'POST', path: '/algorithms/{name}/{version}/reset', action: 'reset', answer: reset, types: [] },
  { method: 'POST', path: '/algorithms/{name}/{version}/verify', action: 'verify', answer: verify },
  {
    method: 'PUT',
    path: '/algorithms/{name}/{version}/policy',
    action: 'configure',
    answer: configure,
    query: namesOf(QUERIES.policy),
  },
  { method: 'GET', path: '/fleet', action: 'fleet', answer: fleet },
  { method: 'POST', path: '/fleet/halt', action: 'halt', answer: haltFleet },
  { method: 'POST', path: '/fleet/approve', action: 'approve', answer: approveFleet },
  { method: 'POST', path: '/fleet/back', action: 'back', answer: backFleet },
  { method: 'GET', path: '/outbox', action: 'outbox', answer: outbox },
  { method: 'POST', path: '/outbox/pause', action: 'deliver', answer: pauseOutbox },
  { method: 'POST', path: '/outbox/resume', action: 'deliver', answer: resumeOutbox },
  { method: 'POST', path: '/outbox/retry', action: 'deliver', answer: retryOutbox },
  { method: 'POST', path: '/outbox/export', action: 'export', answer: exportOutbox },
  { method: 'GET', path: '/packages', action: 'list', answer: packages },
  {
    method: 'DELETE',
    path: '/packages/{file}',
    action: 'remove',
    answer: removePackage,
    query: namesOf(QUERIES.removePackage),
  },
];

/** Packages by content, for other stations: the same paths as a folder of `exportPackage` has. */
const GIVING: readonly Route[] = [
  { method: 'GET', path: '/content/index.json', action: 'content', answer: contentIndex },
  {
    method: 'GET',
    path: '/content/packages/{digest}',
    action: 'content',
    answer: contentManifest,
    types: ['text/plain'],
  },
  {
    method: 'GET',
    path: '/content/blobs/{sha256}',
    action: 'content',
    answer: contentBlob,
    types: ['application/octet-stream'],
  },
];

/** Every endpoint, its path divided once. Of two that fit a path, the first is meant. */
const ROUTES = [...DEPLOYING, ...INSPECTING, ...INFERRING, ...OPERATING, ...GIVING].map((route) => ({
  route,
  segments: route.path.split('/').map((part) => ({ part, name: /^\{(.+)\}$/.exec(part)?.[1] })),
}));

/** An endpoint, and the named parts of the path that led to it. */
export interface FoundRoute {
  route: Route;
  params: Record<string, string>;
}

/**
 * The endpoint at a path.
 *
 * @param basePath - what the path begins with, before the endpoint's own
 * @throws RequestFault `unknown_path`, `method_not_allowed` with those that are taken
 */
export function findRoute({ pathname }: URL, method: string, basePath: string): FoundRoute {
  const unknown = () =>
    new RequestFault(
      'unknown_path',
      `There is nothing at ${pathname}: GET ${basePath}/openapi.json tells what there is`,
    );
  if (!pathname.startsWith(`${basePath}/`)) throw unknown();
  const given = pathname.slice(basePath.length).split('/');
  const matches: FoundRoute[] = [];
  for (const { route, segments } of ROUTES) {
    const [first] = matches;
    if (first && first.route.path !== route.path) continue; // a word in a path comes before a name
    const named = match(segments, given);
    if (!named) continue;
    if (route.method === method) return { route, params: named };
    matches.push({ route, params: named });
  }
  if (matches.length === 0) throw unknown();
  const allow = matches
    .flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
    .join(', ');
  throw new RequestFault('method_not_allowed', `${pathname} takes ${allow}`, { allow });
}

function match(
  wanted: (typeof ROUTES)[number]['segments'],
  given: readonly string[],
): Record<string, string> | undefined {
  if (wanted.length !== given.length) return undefined;
  for (const [index, { part, name }] of wanted.entries()) {
    if (name === undefined ? part !== given[index] : given[index] === '') return undefined;
  }
  const params: Record<string, string> = {};
  for (const [index, { name }] of wanted.entries()) {
    if (name !== undefined) params[name] = decodeURIComponent(given[index] ?? '');
  }
  return params;
}

async function describe({ basePath, request, options }: Call): Promise<Response> {
  const { signal } = request;
  // A store that cannot be read has no part in what the endpoints are.
  const schemas = await activeParameters(options.registry, signal).catch((error: unknown) => {
    if (signal.aborted) throw error;
    return {};
  });
  return Response.json(openApiDocument(basePath, schemas));
}
