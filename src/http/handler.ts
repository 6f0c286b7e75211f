import { RunnerError } from '../errors.js';
import { checkGiven } from '../arguments.js';
import { activate, deactivate, get, list, listActive, switchVersion, uninstall } from './actions.js';
import { install } from './install.js';
import { negotiate } from './negotiate.js';
import { openApiDocument } from './openapi.js';
import { problemResponse, RequestFault } from './problem.js';
import type { AnswerType, Call, RunnerAction, RunnerHandlerOptions } from './types.js';
import { validate } from './validate.js';

interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  action: RunnerAction;
  answer: (call: Call) => Response | Promise<Response>;
  /** What it can answer with, best first; nothing needs no consent. @defaultValue JSON */
  types?: readonly AnswerType[];
}

const JSON_OR_EVENTS = ['application/json', 'text/event-stream'] as const;

const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/openapi.json', action: 'describe', answer: describe },
  { method: 'GET', path: '/algorithms', action: 'list', answer: list },
  { method: 'GET', path: '/algorithms/active', action: 'list', answer: listActive },
  {
    method: 'POST',
    path: '/algorithms/install',
    action: 'install',
    answer: install,
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
  { method: 'POST', path: '/algorithms/validate', action: 'validate', answer: validate },
  { method: 'GET', path: '/algorithms/{name}/{version}', action: 'list', answer: get },
  {
    method: 'DELETE',
    path: '/algorithms/{name}/{version}',
    action: 'uninstall',
    answer: uninstall,
    types: [],
  },
];

const DEFAULT_MAX_UPLOAD_BYTES = 8 * 1024 ** 3;

/**
 * The endpoints of the runner as one web-standard handler, mountable in any Node framework. It never rejects: every
 * failure is a problem document (RFC 9457) with `code` and `error_code`.
 *
 * Without `authorize` only GET is answered; everything else is 403, unless `allowUnauthenticated` opens it up.
 *
 * @throws RunnerError `invalid_params` for a part that is missing, or a `maxUploadBytes` that is no size
 */
export function createRunnerHandler(options: RunnerHandlerOptions): (request: Request) => Promise<Response> {
  const { maxUploadBytes = DEFAULT_MAX_UPLOAD_BYTES } = (options as typeof options | null) ?? {};
  if (!(maxUploadBytes > 0)) {
    throw new RunnerError('invalid_params', `maxUploadBytes must be positive, not ${maxUploadBytes}`);
  }
  checkGiven('createRunnerHandler', options, ['registry', 'deployer', 'validator']);
  const resolved: Call['options'] = {
    ...options,
    maxUploadBytes,
    basePath: (options.basePath ?? '').replace(/\/+$/, ''),
  };
  return async (request) => {
    const isHead = request.method === 'HEAD';
    const response = await answer(request, isHead ? 'GET' : request.method, resolved).catch(problemResponse);
    return isHead ? new Response(null, response) : response;
  };
}

async function answer(request: Request, method: string, options: Call['options']): Promise<Response> {
  const url = new URL(request.url);
  const { route, params } = findRoute(url, method, options.basePath);
  await checkAuthorized(request, method, route.action, options);
  const { types = ['application/json'] } = route;
  const answerType = negotiate(request.headers.get('accept'), types);
  if (answerType === undefined && types.length > 0) {
    throw new RequestFault('not_acceptable', `${url.pathname} answers with ${types.join(' or ')}`);
  }
  return route.answer({ request, url, params, options, answerType });
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
    if (name !== undefined) params[name] = decodePart(value);
  }
  return params;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RequestFault('bad_request', `${part} is not percent-encoded UTF-8`);
  }
}

async function checkAuthorized(
  request: Request,
  method: string,
  action: RunnerAction,
  options: Call['options'],
): Promise<void> {
  const { authorize, allowUnauthenticated = false } = options;
  const isAllowed = authorize ? await authorize(request, action) : allowUnauthenticated || method === 'GET';
  if (isAllowed) return;
  throw new RequestFault(
    'forbidden',
    authorize
      ? `This caller may not ${action}`
      : `Nobody may ${action}: the server was set up without an authorize function, so it only answers GET`,
  );
}

function describe({ options }: Call): Response {
  return Response.json(openApiDocument(options.basePath));
}
