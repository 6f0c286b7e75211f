import { ref, type Json } from './openapi-parts.js';

/** Statuses of problems, each with what it says. */
const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The request is malformed: details.path names the parameter, header or field',
  401: 'The caller must say who it is: see WWW-Authenticate',
  403: 'The caller may not do this',
  404: 'It is not there',
  406: 'The client takes nothing of what is offered',
  408: 'The body did not come in time',
  409: 'It cannot be done in this state',
  413: 'The body is too large',
  415: 'The body is of a type that is not taken here',
  422: 'The package or the picture is at fault',
  429: 'The server is full: come again after Retry-After',
  500: 'A fault of the server',
  501: 'This server was set up without the part that does this',
  502: 'The algorithm or its process is at fault',
  503: 'Not now: come again after Retry-After',
  504: 'It took longer than its limit',
  507: 'The disk is full',
};

/** What every operation may answer. */
const ALWAYS = [400, 401, 403, 406, 500];

const nameOf = (status: number) => `Problem${status}`;

/** `components.responses`: a problem document for each status. */
export const PROBLEM_RESPONSES: Json = Object.fromEntries(
  Object.entries(PROBLEMS).map(([status, description]) => [
    nameOf(Number(status)),
    {
      description,
      ...(['429', '503'].includes(status) && {
        headers: { 'Retry-After': { description: 'Seconds', schema: { type: 'string' } } },
      }),
      content: { 'application/problem+json': { schema: ref('Problem') } },
    },
  ]),
);

export const json = (schema: Json): Json => ({ 'application/json': { schema } });

/** The answer when all goes well, the problems that are usual for it, and a problem document for everything else. */
export function responses(
  status: string,
  description: string,
  more: Json = {},
  problems: readonly number[] = [],
): Json {
  const usual = [...ALWAYS, ...problems].sort((a, b) => a - b);
  return {
    [status]: { description, ...more },
    ...Object.fromEntries(usual.map((code) => [code, { $ref: `#/components/responses/${nameOf(code)}` }])),
    default: {
      description: 'Another failure, named by its code (RFC 9457)',
      content: { 'application/problem+json': { schema: ref('Problem') } },
    },
  };
}

export const answered = (
  status: string,
  description: string,
  schema: Json,
  problems?: readonly number[],
): Json => responses(status, description, { content: json(schema) }, problems);

export const noContent = (description: string, problems?: readonly number[]): Json =>
  responses('204', description, {}, problems);

export function query(name: string, schema: Json, description: string): Json {
  return { name, in: 'query', required: false, schema, description };
}

/** A JSON body with a schema of ours. */
export const ACTIONS_BODY = (schema: string): Json => ({ required: true, content: json(ref(schema)) });

export const ANSWERS = { count: { type: 'integer', minimum: 0 } } as const;
