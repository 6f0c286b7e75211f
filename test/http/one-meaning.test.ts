import { expect, test } from 'vitest';
import { DOORS, NONE, openDoor, whyNot, type Door, type RawRequest } from '../support/http-doors.js';
import { openHttpRunner } from '../support/http-runner.js';

/**
 * A request, what the handler's own listener answers, and where a server before it answers otherwise: 0 closes the
 * stream, nginx sends a host of its own on, Hono makes the `Request` itself and resolves its path first.
 */
type Row = [
  title: string,
  request: RawRequest,
  status: number,
  elsewhere?: Partial<Record<Door, number | readonly number[]>>,
];

const get = (target: string, headers?: RawRequest['headers'], body?: string): RawRequest => ({
  ...{ method: 'GET', target, headers, body },
});
/** Nothing is deployed: one that comes through is answered with 404 `not_found`. */
const remove = (query: string, headers?: RawRequest['headers'], body?: string): RawRequest => ({
  ...{ method: 'DELETE', target: `/algorithms/x/1${query}`, headers, body },
});
const JSON_TYPE: [string, string] = ['Content-Type', 'application/json'];
const post = (target: string, body: string, ...headers: [string, string][]): RawRequest => ({
  ...{ method: 'POST', target, headers: headers.length > 0 ? headers : [JSON_TYPE], body },
});
const host = (...hosts: string[]) =>
  get(
    '/algorithms',
    hosts.map((one) => ['Host', one]),
  );
const part = (head: string, content = 'x') =>
  `--B\r\ncontent-disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const form = (...parts: string[]) =>
  post('/algorithms/install', `${parts.join('')}--B--\r\n`, [
    'Content-Type',
    'multipart/form-data; boundary=B',
  ]);
const file = 'name="file"; filename="a.zip"';
const DEACTIVATE = '{"pids":["A"]}';

const TABLE: Row[] = [
  // The query
  ['a parameter with two values', remove('?force=false&force=true'), 400],
  ['a parameter twice with one value', remove('?force=true&force=true'), 400],
  ['two operators', remove('?operator=a&operator=b'), 400],
  ['a parameter in capitals', remove('?FORCE=true'), 400],
  ['a parameter in two spellings', remove('?Force=false&force=true'), 400],
  ['a parameter twice, once percent-encoded', remove('?%66orce=false&force=true'), 400],
  ['a parameter as a list', remove('?force%5B%5D=true'), 400],
  ['a parameter as an element of a list', remove('?force%5B0%5D=true'), 400],
  ['a parameter as a member', remove('?force.x=true'), 400],
  ['a parameter whose name a NUL ends', remove('?force%00=true'), 400],
  ['a parameter after a space', remove('?+force=true'), 400],
  ['two parameters divided by a semicolon', remove('?force=false;force=true'), 400],
  ['a flag that some take for true', remove('?force=1'), 400],
  ['a flag without a value', remove('?force'), 400],
  ['a flag in capitals', remove('?force=TRUE'), 400],
  ['a value that is no percent-encoding', remove('?operator=%zz'), 400],
  ['a value that is no UTF-8', remove('?operator=%ff'), 400],
  ['a parameter that belongs into the body', post('/algorithms/deactivate?pids=B', DEACTIVATE), 400],
  ['a flag that belongs into the body', post('/algorithms/activate?force=true', DEACTIVATE), 400],
  ['a parameter of the host twice', get('/algorithms?x=1&x=2'), 400],
  ['a parameter of the host', get('/algorithms?token=t'), 200],
  ['a parameter with a letter too many', remove('?forcee=true'), 400],
  ['two states', get('/algorithms?state=running&state=stopped'), 400],
  ['a query that begins twice', get('/algorithms??state=running'), 400],
  // The path
  ['a way up', get('/algorithms/../openapi.json'), 400, { hono: 200 }],
  ['a way up, percent-encoded', get('/algorithms/%2e%2e/openapi.json'), 400, { hono: 200 }],
  ['a way up, half percent-encoded', get('/algorithms/%2E./openapi.json'), 400, { hono: 200 }],
  ['a way up behind encoded slashes', { method: 'DELETE', target: '/algorithms/x%2F..%2F..%2Fy/1' }, 400],
  ['a way up behind encoded backslashes', { method: 'DELETE', target: '/algorithms/x%5C..%5Cy/1' }, 400],
  ['a step on the spot', get('/./algorithms'), 400, { hono: 200 }],
  ['a backslash', get('/algorithms\\active'), 400],
  ['an encoded slash', get('/algorithms%2Factive'), 404],
  ['two slashes at the start', get('//algorithms'), 404],
  ['two slashes', get('/algorithms//active'), 404],
  ['a slash at the end', get('/algorithms/'), 404],
  ['other capitals', get('/Algorithms'), 404],
  ['a parameter of the path', get('/algorithms;a=b'), 404],
  ['a fragment', get('/algorithms#/active'), 400],
  ['a path that is no percent-encoding', get('/algorithms/%zz/1'), 400],
  ['an overlong dot', get('/algorithms/%c0%ae%c0%ae/1'), 400],
  ['a letter of no path', get('/algorithms/"x"/1'), 400, { hono: 404 }],
  ['a whole address', get('http://station/algorithms'), 200, { http2: 0 }],
  [
    'a whole address of another host',
    get('http://other/algorithms'),
    400,
    { http2: 0, hono: 200, nginx: 200 },
  ],
  ['a whole address with a user', get('http://station@other/algorithms'), 400, { http2: 0 }],
  ['no path', { method: 'OPTIONS', target: '*' }, 400],
  // The host
  ['a host with a fragment', host('station#'), 400, { http2: 0, nginx: 200 }],
  ['a host with a path and a query', host('station/openapi.json?'), 400, { http2: 0 }],
  ['a host with a backslash', host('station\\'), 400, { http2: 0, nginx: 200 }],
  // The HTTP/2 of later versions of Node ends the stream itself.
  ['a host with a user', host('user@station'), 400, { http2: [0, 400], nginx: 200 }],
  ['a host with a space', host('a b'), 400, { http2: 0 }],
  ['a host with a port that is none', host('station:99999'), 400, { nginx: 200 }],
  ['two hosts', host('station', 'other'), 400],
  ['one host twice', host('station', 'station'), 400],
  ['no host', get('/algorithms', [['Host', NONE]]), 400],
  // Other headers
  [
    'two content types',
    post('/algorithms/deactivate', DEACTIVATE, JSON_TYPE, ['Content-Type', 'text/plain']),
    400,
  ],
  [
    'a list of content types',
    post('/algorithms/deactivate', DEACTIVATE, ['Content-Type', 'application/json, x/y']),
    400,
    { fastify: 415 },
  ],
  [
    'another type in a parameter',
    post('/algorithms/deactivate', DEACTIVATE, ['Content-Type', 'application/json; a, x/y']),
    400,
  ],
  [
    'another charset',
    post('/algorithms/deactivate', DEACTIVATE, ['Content-Type', 'application/json; charset=utf-16']),
    415,
  ],
  [
    'two charsets',
    post('/algorithms/deactivate', DEACTIVATE, [
      'Content-Type',
      'application/json; charset=utf-8; charset=x',
    ]),
    400,
  ],
  ['a packed body', post('/algorithms/deactivate', DEACTIVATE, JSON_TYPE, ['Content-Encoding', 'gzip']), 415],
  [
    'two authorizations',
    get('/algorithms', [
      ['Authorization', 'a'],
      ['Authorization', 'b'],
    ]),
    400,
    { hono: 200 },
  ],
  [
    'two cookies',
    get('/algorithms', [
      ['Cookie', 'a=1'],
      ['Cookie', 'a=2'],
    ]),
    400,
    { http2: 200, hono: 200 },
  ],
  ['another method in a header', get('/algorithms', [['X-HTTP-Method-Override', 'DELETE']]), 400],
  [
    'a header with an underline',
    post('/algorithms/deactivate', DEACTIVATE, JSON_TYPE, ['content_type', 'x/y']),
    400,
    { hono: 404, nginx: 404 },
  ],
  [
    'a length and a chunked body',
    post(
      '/algorithms/deactivate',
      `e\r\n${DEACTIVATE}\r\n0\r\n\r\n`,
      JSON_TYPE,
      ['Content-Length', '3'],
      ['Transfer-Encoding', 'chunked'],
    ),
    400,
  ],
  [
    'two lengths',
    post('/algorithms/deactivate', DEACTIVATE, JSON_TYPE, ['Content-Length', '14'], ['Content-Length', '3']),
    400,
  ],
  [
    'a length with a sign',
    post('/algorithms/deactivate', DEACTIVATE, JSON_TYPE, ['Content-Length', '+14']),
    400,
    { http2: 0 },
  ],
  ['a method in small letters', { method: 'get', target: '/algorithms' }, 400],
  // The body
  ['a GET with a body', get('/algorithms', [JSON_TYPE], '{"state":"running"}'), 400, { hono: 200 }],
  ['a DELETE with a body', remove('', [JSON_TYPE], '{"force":true}'), 400],
  ['a JSON name twice', post('/algorithms/deactivate', '{"pids":["A"],"pids":["B"]}'), 400],
  [
    'a JSON name twice, once escaped',
    post('/algorithms/deactivate', '{"pids":["A"],"\\u0070ids":["B"]}'),
    400,
  ],
  [
    'a JSON name of every object',
    post('/algorithms/deactivate', '{"pids":["A"],"__proto__":{"force":true}}'),
    400,
  ],
  [
    'query and body that differ',
    post('/algorithms/install?operator=a', '{"path":"x.zip","operator":"b"}'),
    400,
  ],
  [
    'query and body that agree',
    post('/algorithms/install?operator=a', '{"path":"x.zip","operator":"a"}'),
    404,
  ],
  ['two files', form(part(file), part(file, 'y')), 400],
  ['a field that steers', form(part('name="force"', 'true'), part(file)), 400],
  ['a field that steers after the file', form(part(file), part('name="operator"', 'eve')), 400],
  ['a part in base64', form(part(`${file}\r\ncontent-transfer-encoding: base64`, 'UEs=')), 400],
];

test('the table has at least 60 requests', () => {
  expect(TABLE.length).toBeGreaterThanOrEqual(60);
});

test.each(DOORS.filter((door) => whyNot(door) === undefined))('%s', { timeout: 60_000 }, async (door) => {
  let seen: string | undefined;
  const runner = await openHttpRunner({
    authorize: (request) => {
      seen = new URL(request.url).pathname;
      return true;
    },
  });
  const { send } = await openDoor(door, runner.handler);
  const answers: string[] = [];
  const wanted: string[] = [];
  for (const [title, request, status, elsewhere = {}] of TABLE) {
    seen = undefined;
    const answered = await send(request);
    if (answered === undefined) continue; // such a request cannot be sent this way
    answers.push(`${title}: ${answered.status}`);
    // What is decided about is what was sent, letter by letter, but where a framework resolves a path itself.
    const sent = request.target.replace(/^http:\/\/[^/]*/, '').replace(/[?#].*$/, '');
    if (door !== 'hono') expect([undefined, sent]).toContain(seen);
    const right = [elsewhere[door] ?? status].flat();
    wanted.push(`${title}: ${right.includes(answered.status) ? answered.status : right.join(' or ')}`);
  }
  expect(answers).toEqual(wanted);
  expect(answers.length).toBeGreaterThanOrEqual(60);
});

test.each(['GET', 'DELETE'])(
  '%s of a name that leads upwards is refused before anybody is asked',
  async (method) => {
    const asked: string[] = [];
    const { ask } = await openHttpRunner({
      authorize: ({ url }) => {
        asked.push(url);
        return true;
      },
    });
    for (const name of ['x%2F..%2F..%2Fy', '%2E%2E%2Fx', 'x%2f%2e%2e', '..%5Cx', 'x%5C..%5Cy']) {
      const answer = await ask(method, `/algorithms/${name}/1`);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({
        code: 'bad_request',
        detail: expect.stringContaining('leads upwards') as string,
      });
    }
    expect(asked).toEqual([]);
    // Encoded once more it is a name as any other, which nothing has.
    expect((await ask(method, '/algorithms/%252E%252E%252Fx/1')).status).toBe(404);
  },
);

test.each(DOORS.filter((door) => whyNot(door) !== undefined))('%s is not tried', (door) => {
  expect.soft(whyNot(door)).toMatch(/there is no/);
});
