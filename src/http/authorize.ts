import { RequestFault } from './problem.js';
import type { Authorization, RunnerAction, RunnerHandlerOptions } from './types.js';

/** What a challenge is when `authorize` asks for 401 and gives none: RFC 9110, 15.5.2, wants one. */
const DEFAULT_CHALLENGE = 'Bearer';

/**
 * Asks `authorize`, before anything of the body is read.
 *
 * @returns who asks, where `authorize` tells
 * @throws RequestFault `unauthorized` or `forbidden`
 */
export async function checkAuthorized(
  request: Request,
  method: string,
  action: RunnerAction,
  { authorize, allowUnauthenticated = false }: RunnerHandlerOptions,
): Promise<string | undefined> {
  if (!authorize) {
    if (allowUnauthenticated || method === 'GET') return undefined;
    throw new RequestFault(
      'forbidden',
      `Nobody may ${action}: the server was set up without an authorize function, so it only answers GET`,
    );
  }
  const { allowed, status, challenge, operator } = asObject(await authorize(request, action));
  if (allowed) return operator;
  if (status === 401 || (status === undefined && challenge !== undefined)) {
    throw new RequestFault('unauthorized', `Say who you are: the header Authorization lets you ${action}`, {
      'www-authenticate': challenge ?? DEFAULT_CHALLENGE,
    });
  }
  throw new RequestFault('forbidden', `This caller may not ${action}`);
}

/** An answer that is neither yes nor no is no: a forgotten `return` must not let anybody in. */
function asObject(answer: unknown): Authorization {
  if (typeof answer !== 'object' || answer === null) return { allowed: answer === true };
  const given = answer as Partial<Record<keyof Authorization, unknown>>;
  return { ...(answer as Authorization), allowed: given.allowed === true };
}
