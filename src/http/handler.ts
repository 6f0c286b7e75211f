import { checkAuthorized } from './authorize.js';
import { arrivalOf } from './incoming-body.js';
import { negotiate } from './negotiate.js';
import { resolveOptions } from './options.js';
import { pageAt } from './page/page.js';
import { problemResponse, RequestFault } from './problem.js';
import { checkQuery } from './query.js';
import { checkHeaders } from './request-headers.js';
import { findRoute } from './routes.js';
import { checkAddress } from './target.js';
import type { ResolvedOptions, RunnerHandlerOptions } from './types.js';

/**
 * The endpoints of the runner as one web-standard handler, mountable in any Node framework. It never rejects: every
 * failure is a problem document (RFC 9457) with `code` and `error_code`.
 *
 * Without `authorize` only GET is answered; everything else is 403, unless `allowUnauthenticated` opens it up. What two
 * readers could take two ways (a parameter, a header or a name of a JSON body that is there twice, a path with dot
 * segments) is 400, before `authorize` is asked.
 *
 * @throws RunnerError `invalid_params` for a part that is missing or was not awaited, for a size or a time that is none,
 * and for an option that there is not
 */
export function createRunnerHandler(options: RunnerHandlerOptions): (request: Request) => Promise<Response> {
  const resolved = resolveOptions(options);
  const { root } = resolved.registry.layout;
  return async (request) => {
    const isHead = request.method === 'HEAD';
    const response = await answer(request, isHead ? 'GET' : request.method, resolved).catch(
      (error: unknown) => {
        tell(resolved.onError, error, request);
        return problemResponse(error, root, isInference(request));
      },
    );
    if (!isHead) return response;
    await response.body?.cancel().catch(() => undefined); // nobody reads it: what writes it, such as events, ends
    return new Response(null, response);
  };
}

/** Clients of the Open Inference Protocol read the member `error`. */
function isInference({ url }: Request): boolean {
  return /\/v2(?:\/|$)/.test(new URL(url).pathname);
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
  const { mount, hasStrayBody } = arrivalOf(request);
  const basePath = baseOf(url, mount, options.basePath);
  if (options.page === true && method === 'GET' && !hasStrayBody && url.pathname.startsWith(`${basePath}/`)) {
    const file = await pageAt(url.pathname.slice(basePath.length));
    if (file) return file;
  }
  const { route, params } = findRoute(url, method, basePath);
  if (hasStrayBody) {
    throw new RequestFault('bad_request', `A ${request.method} has no body: send it without`);
  }
  checkQuery(url, route.query ?? []);
  const operator = await checkAuthorized(request, method, route.action, options);
  const { types = ['application/json'] } = route;
  const answerType = negotiate(request.headers.get('accept'), types);
  if (answerType === undefined && types.length > 0) {
    throw new RequestFault('not_acceptable', `${url.pathname} answers with ${types.join(' or ')}`);
  }
  return route.answer({ request, url, params, operator, options, basePath, answerType });
}

/**
 * What stands before the endpoints: the option `basePath`, and where a framework has mounted the handler, unless the option
 * tells of that already.
 */
function baseOf({ pathname }: URL, mount: string, basePath: string): string {
  if (mount === '') return basePath;
  return basePath.startsWith(mount) && pathname.startsWith(`${basePath}/`) ? basePath : mount + basePath;
}
