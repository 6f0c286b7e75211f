import { RunnerError } from '../errors.js';
import { checkGiven } from '../arguments.js';
import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { activate, deactivate, get, list, listActive, switchVersion, uninstall } from './actions.js';
import { checkAuthorized } from './authorize.js';
import { install } from './install.js';
import { negotiate } from './negotiate.js';
import { openApiDocument } from './openapi.js';
import { problemResponse, RequestFault } from './problem.js';
import { checkQuery, QUERIES } from './query.js';
import { checkHeaders } from './request-headers.js';
import { checkAddress } from './target.js';
import type { AnswerType, Call, ResolvedOptions, RunnerAction, RunnerHandlerOptions } from './types.js';
import { validate } from './validate.js';

interface Route {
  method: 'GET' | 'POST' | 'DELETE';
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

const ROUTES: readonly Route[] = [
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
  { method: 'GET', path: '/algorithms/{name}/{version}', action: 'list', answer: get },
  {
    method: 'DELETE',
    path: '/algorithms/{name}/{version}',
    action: 'uninstall',
    answer: uninstall,
    query: namesOf(QUERIES.change),
    types: [],
  },
];

const DEFAULT_MAX_UPLOAD_BYTES = 8 * 1024 ** 3;
const DEFAULT_LEAST_RATE = 512;

/**
 * The endpoints of the runner as one web-standard handler, mountable in any Node framework. It never rejects: every
 * failure is a problem document (RFC 9457) with `code` and `error_code`.
 *
 * Without `authorize` only GET is answered; everything else is 403, unless `allowUnauthenticated` opens it up. What two
 * readers could take two ways (a parameter, a header or a name of a JSON body that is there twice, a path with dot
 * segments) is 400, before `authorize` is asked.
 *
 * @throws RunnerError `invalid_params` for a part that is missing, or for a size or a time that is none
 */
export function createRunnerHandler(options: RunnerHandlerOptions): (request: Request) => Promise<Response> {
  const { maxUploadBytes = DEFAULT_MAX_UPLOAD_BYTES, leastUploadBytesPerSecond = DEFAULT_LEAST_RATE } =
    (options as typeof options | null) ?? {};
  if (!(maxUploadBytes > 0)) throw noSize('maxUploadBytes', 'be positive', maxUploadBytes);
  checkGiven('createRunnerHandler', options, ['registry', 'deployer', 'validator']);
  const { uploadIdleMs = options.deployer.uploadIdleMs } = options;
  if (!(uploadIdleMs > 0 && uploadIdleMs <= LONGEST_TIMER_MS)) {
    throw noSize('uploadIdleMs', `be from 1 to ${LONGEST_TIMER_MS}`, uploadIdleMs);
  }
  if (!(leastUploadBytesPerSecond >= 0)) {
    throw noSize('leastUploadBytesPerSecond', 'not be negative', leastUploadBytesPerSecond);
  }
  const resolved: ResolvedOptions = {
    ...options,
    maxUploadBytes,
    pace: { idleMs: uploadIdleMs, leastRate: leastUploadBytesPerSecond },
    basePath: (options.basePath ?? '').replace(/\/+$/, ''),
  };
  const { root } = options.registry.layout;
  return async (request) => {
    const isHead = request.method === 'HEAD';
    const response = await answer(request, isHead ? 'GET' : request.method, resolved).catch(
      (error: unknown) => {
        tell(options.onError, error, request);
        return problemResponse(error, root);
      },
    );
    return isHead ? new Response(null, response) : response;
  };
}

function noSize(name: string, rule: string, value: number): RunnerError {
  return new RunnerError('invalid_params', `${name} must ${rule}, not ${value}`);
}

/** An observer that throws does not change the answer. */
function tell(onError: RunnerHandlerOptions['onError'], error: unknown, request: Request): void {
  try {
    onError?.(error, request);
  } catch {
    // The failure was reported.
  }
}

async function answer(request: Request, method: string, options: ResolvedOptions): Promise<Response> {
  const url = new URL(request.url);
  checkAddress(url);
  checkHeaders(request);
  const { route, params } = findRoute(url, method, options.basePath);
  checkQuery(url, route.query ?? []);
  const operator = await checkAuthorized(request, method, route.action, options);
  const { types = ['application/json'] } = route;
  const answerType = negotiate(request.headers.get('accept'), types);
  if (answerType === undefined && types.length > 0) {
    throw new RequestFault('not_acceptable', `${url.pathname} answers with ${types.join(' or ')}`);
  }
  return route.answer({ request, url, params, operator, options, answerType });
}

function findRoute(
  url: URL,
  method: string,
  basePath: string,
): { route: Route; params: Record<string, string> } {
  const unknown = () =>
    new RequestFault(
      'unknown_path',
      `There is nothing at ${url.pathname}: GET ${basePath}/openapi.json tells what there is`,
    );
  if (!url.pathname.startsWith(`${basePath}/`)) throw unknown();
  const path = url.pathname.slice(basePath.length);
  const matches = ROUTES.flatMap((route) => {
    const params = matchPath(route.path, path);
    return params ? [{ route, params }] : [];
  });
  if (matches.length === 0) throw unknown();
  const match = matches.find(({ route }) => route.method === method);
  if (match) return match;
  const allow = matches
    .flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
    .join(', ');
  throw new RequestFault('method_not_allowed', `${url.pathname} takes ${allow}`, { allow });
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name === undefined ? part !== value : value === '') return undefined;
    if (name !== undefined) params[name] = decodeURIComponent(value);
  }
  return params;
}

function describe({ options }: Call): Response {
  return Response.json(openApiDocument(options.basePath));
}
