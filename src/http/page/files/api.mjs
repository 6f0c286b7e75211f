/** The endpoints of the station, below the address that the page was loaded from. */
import { ask } from './dialogs.mjs';
import { field, make } from './dom.mjs';

const TOKEN = 'token';

/** A failure as the station tells it: a problem document (RFC 9457), or no answer at all. */
export class Failure extends Error {
  constructor(problem, w, status) {
    super(problem?.detail ?? w);
    this.problem = problem;
    this.w = w;
    // A proxy answers in place of a station that is away.
    this.isAway = problem === undefined || [502, 503, 504].includes(status);
  }
}

let asking;

/** The token is asked for once, however many requests need it, and forgotten with the tab. */
async function askForToken() {
  const input = make('input', { type: 'password', required: true, autocomplete: 'off', name: 'token' });
  const isGiven = await ask({
    title: { w: 'tokenTitle' },
    text: { w: 'tokenText' },
    content: field({ w: 'token' }, input),
    confirm: { w: 'enter' },
  });
  if (isGiven) sessionStorage.setItem(TOKEN, input.value.trim());
  return isGiven;
}

/**
 * A request, with the token where there is one.
 *
 * @throws Failure for an answer that is none, and for one of 4xx and 5xx unless it is expected
 */
export async function send(path, { headers = {}, expected = [], ...init } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const own = token === null ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(path, { ...init, headers: { ...headers, ...own }, cache: 'no-store' }).catch(
    (error) => {
      throw init.signal?.aborted ? error : new Failure(undefined, 'noAnswer');
    },
  );
  if (response.ok || expected.includes(response.status)) return response;
  if (response.status === 401) {
    // Another request may have brought a new token in the meantime.
    if (sessionStorage.getItem(TOKEN) !== token) return send(path, { headers, expected, ...init });
    sessionStorage.removeItem(TOKEN);
    asking ??= askForToken().finally(() => (asking = undefined));
    if (await asking) return send(path, { headers, expected, ...init });
  }
  const problem = await response
    .json()
    .catch(() => ({ code: String(response.status), detail: response.statusText }));
  throw new Failure(problem, undefined, response.status);
}

/** The JSON of an answer; undefined where it has none. */
export async function get(path, init) {
  const response = await send(path, init);
  return response.status === 204 ? undefined : response.json();
}

/** Sends JSON. */
export const put = (path, body, method = 'PUT') =>
  get(path, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
export const post = (path, body) => put(path, body, 'POST');
export const remove = (path) => put(path, undefined, 'DELETE');

const OPERATOR = 'operator';

/** Who is at the page, for the record of the station; nothing where nobody has said so. */
export const operator = () => {
  const name = localStorage.getItem(OPERATOR) ?? '';
  return name === '' ? {} : { operator: name };
};
export const setOperator = (name) => localStorage.setItem(OPERATOR, name.trim());

/** A path with its query. */
export function placeWith(path, query) {
  const search = new URLSearchParams(query).toString();
  return search === '' ? path : `${path}?${search}`;
}

/** Path of a version. */
export const placeOf = ({ name, version }) =>
  `algorithms/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;

/** Server-sent events of an answer (WHATWG HTML, 9.2), until it ends or breaks. */
export async function* eventsIn(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (buffered + value).split('\n\n');
      buffered = blocks.pop();
      for (const block of blocks) {
        const event = { name: 'message', data: '' };
        for (const line of block.split('\n')) {
          const [, key, text] = /^(\w+): ?(.*)$/.exec(line) ?? [];
          if (key === 'event') event.name = text;
          else if (key === 'data') event.data += text;
          else if (key === 'id') event.id = text;
        }
        if (event.data !== '') yield { ...event, data: JSON.parse(event.data) };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
