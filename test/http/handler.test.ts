import { getEventListeners } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRunnerHandler } from '../../src/http/index.js';
import { problemResponse } from '../../src/http/problem.js';
import { STATUS_OF_CODE, STATUS_OF_FAULT } from '../../src/http/status.js';
import { ERROR_NUMBERS, RunnerError, type RunnerErrorCode } from '../../src/index.js';
import { buildPackage, packageEntries } from '../../src/testing/index.js';
import { forgeZip } from '../support/forge-zip.js';
import { eventsOf, openHttpRunner as open, ZIP as zip } from '../support/http-runner.js';

type Problem = Record<string, unknown> & { code: string; detail: string };

const good = await buildPackage();

describe('a runner over HTTP', () => {
  test('takes an upload, lists it, activates, switches and removes it', async () => {
    const { ask } = await open();
    const installed = await ask('POST', '/algorithms/install?operator=eve', { body: good, headers: zip });
    expect(installed.status).toBe(201);
    expect(installed.headers.get('location')).toBe('/algorithms/sample/1.0.0');
    expect(await installed.json()).toMatchObject({ name: 'sample', state: 'deployed', operator: 'eve' });
    expect(await (await ask('GET', '/algorithms?state=deployed&name=sample')).json()).toMatchObject([
      { version: '1.0.0' },
    ]);
    expect(await (await ask('GET', '/algorithms?name=other')).json()).toEqual([]);
    const mapping = { name: 'sample', version: '1.0.0', pids: ['A01'] };
    expect((await ask('POST', '/algorithms/activate', { json: mapping })).status).toBe(200);
    expect(await (await ask('GET', '/algorithms/active')).json()).toMatchObject({ A01: { name: 'sample' } });
    const switched = await ask('POST', '/algorithms/switch', { json: mapping });
    expect(await switched.json()).toMatchObject([{ pid: 'A01', version: '1.0.0' }]);
    const refused = await ask('DELETE', '/algorithms/sample/1.0.0');
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: 'unsafe_uninstall', error_code: '2007' });
  });

  test('takes a multipart upload, and a path inside zips/', async () => {
    const { ask, deliver } = await open();
    const form = new FormData();
    form.set('note', 'from a form');
    form.set('file', new Blob([good]), 'package.zip');
    expect((await ask('POST', '/algorithms/install', { body: form })).status).toBe(201);
    await deliver({ version: '2.0.0' });
    const json = { path: 'sample-v2.0.0-offline.zip', operator: 'eve' };
    expect((await ask('POST', '/algorithms/install', { json })).status).toBe(201);
  });

  test('streams the progress of an install as events when asked to, and its failure too', async () => {
    const { ask } = await open();
    const events = async (body: Uint8Array) => {
      const response = await ask('POST', '/algorithms/install', {
        body,
        headers: { ...zip, accept: 'text/event-stream' },
      });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      return eventsOf(await response.text());
    };
    const received = await events(good);
    expect(received.at(-1)).toMatchObject({ name: 'installed', data: { name: 'sample' } });
    const fractions = received
      .filter(({ name }) => name === 'progress')
      .map(({ data }) => Number(data.fraction));
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(received.some(({ name, data }) => name === 'stage' && data.stage === 'environment')).toBe(true);
    const failed = await events(Buffer.from('no zip'));
    expect(failed.at(-1)).toMatchObject({
      name: 'failed',
      data: { code: 'invalid_zip', error_code: '2001', status: 422 },
    });
  });

  test('validates an upload, a path and a deployed version', async () => {
    const { ask, deliver, deployer, registry } = await open();
    const report = await ask('POST', '/algorithms/validate', { body: Buffer.from('no zip'), headers: zip });
    expect(report.status).toBe(200);
    expect(await report.json()).toMatchObject({
      summary: { status: 'FAIL' },
      error: { code: 'invalid_zip' },
    });
    expect(await readdir(registry.layout.staging).catch(() => [])).toEqual([]);
    await deployer.install(await deliver());
    const deployed = await ask('POST', '/algorithms/validate', {
      json: { name: 'sample', version: '1.0.0' },
    });
    expect(await deployed.json()).toMatchObject({ summary: { status: 'PASS', failed: 0 } });
    const missing = await ask('POST', '/algorithms/validate', { json: { name: 'sample', version: '9' } });
    expect(missing.status).toBe(404);
  });
});

describe('a zip whose names do not say their encoding, which nameEncoding tells,', () => {
  const asset = Buffer.from('8c9f8db8', 'hex'); // 検査 in Shift_JIS
  const named = async () =>
    forgeZip([
      ...(await packageEntries())
        .filter(({ name }) => !name.endsWith('/'))
        .map(({ name, data = '' }) => ({ name, data: Buffer.from(data) })),
      { name: Buffer.concat([Buffer.from('sample/assets/'), asset]), data: 'x', flags: 0 },
    ]);

  test.each(['application/zip', 'multipart/form-data', 'application/json'])('as %s', async (type) => {
    const { ask, registry } = await open();
    const bytes = await named();
    await writeFile(path.join(registry.layout.zips, 'p.zip'), bytes);
    const form = new FormData();
    form.set('file', new Blob([bytes]), 'p.zip');
    const isJson = type === 'application/json';
    const sent = type === 'application/zip' ? { body: bytes, headers: zip } : { body: form };
    const send = async (endpoint: string, nameEncoding: string) => {
      const target = `/algorithms/${endpoint}${isJson ? '' : `?nameEncoding=${nameEncoding}`}`;
      return ask('POST', target, isJson ? { json: { path: 'p.zip', nameEncoding } } : sent);
    };
    const answer = await ask('POST', '/algorithms/validate', isJson ? { json: { path: 'p.zip' } } : sent);
    expect(await answer.json()).toMatchObject({
      warnings: [expect.stringMatching(/give the option nameEncoding/)],
    });
    expect(await (await send('validate', 'shift_jis')).json()).not.toHaveProperty('warnings');
    const unknown = await send('install', 'latin-1');
    expect(unknown.status).toBe(400);
    expect(((await unknown.json()) as Problem).detail).toMatch(/nameEncoding: must be one of utf-8, gbk,/);
    expect((await send('install', 'shift_jis')).status).toBe(201);
    const assets = path.join(registry.layout.deployed('sample', '1.0.0'), 'assets');
    expect(await readdir(assets)).toEqual(['検査']);
  });

  test('is refused when query and body differ, and when it is written in other letters', async () => {
    const { ask } = await open();
    const json = { path: 'p.zip', nameEncoding: 'gbk' };
    for (const target of [
      'install?nameEncoding=big5',
      'validate?nameEncoding=big5',
      'install?NameEncoding=gbk',
    ]) {
      expect((await ask('POST', `/algorithms/${target}`, { json })).status).toBe(400);
    }
    expect((await ask('POST', '/algorithms/install?nameEncoding=gbk', { json })).status).toBe(404);
  });
});

describe('who may do what', () => {
  test('without authorize only GET is answered', async () => {
    const { ask } = await open({ authorize: undefined });
    expect((await ask('GET', '/algorithms')).status).toBe(200);
    const refused = await ask('POST', '/algorithms/install', { body: good, headers: zip });
    expect(refused.status).toBe(403);
    expect(((await refused.json()) as Problem).detail).toMatch(/authorize/);
  });

  test('authorize is asked for every action, reading too, before anything is done', async () => {
    const asked: string[] = [];
    const { ask, registry } = await open({
      authorize: (_request, action) => {
        asked.push(action);
        return false;
      },
    });
    const requests = [
      ['GET', '/openapi.json'],
      ['HEAD', '/algorithms'],
      ['GET', '/algorithms'],
      ['GET', '/algorithms/active'],
      ['POST', '/algorithms/install'],
      ['POST', '/algorithms/activate'],
      ['POST', '/algorithms/deactivate'],
      ['POST', '/algorithms/switch'],
      ['POST', '/algorithms/validate'],
      ['GET', '/algorithms/a/1'],
      ['DELETE', '/algorithms/a/1'],
    ] as const;
    for (const [method, target] of requests) expect((await ask(method, target)).status).toBe(403);
    expect(asked).toEqual([
      'describe',
      'list',
      'list',
      'list',
      'install',
      'activate',
      'deactivate',
      'switch',
      'validate',
      'list',
      'uninstall',
    ]);
    expect(await registry.list()).toEqual([]);
  });
});

describe('what an endpoint takes and gives', () => {
  test('what is not there is 404, and a method that is not taken 405 with those that are', async () => {
    const { ask } = await open();
    expect((await ask('GET', '/nowhere')).status).toBe(404);
    const refused = await ask('PUT', '/algorithms/install', { body: 'x' });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toBe('POST');
    const version = await ask('PATCH', '/algorithms/a/1');
    expect(version.headers.get('allow')).toBe('GET, HEAD, DELETE');
  });

  test('HEAD is answered as GET is, without a body', async () => {
    const { ask } = await open({ authorize: undefined });
    const there = await ask('HEAD', '/algorithms');
    expect(there.status).toBe(200);
    expect(there.headers.get('content-type')).toBe('application/json');
    expect(there.body).toBeNull();
    const missing = await ask('HEAD', '/algorithms/a/1');
    expect(missing.status).toBe(404);
    expect(missing.body).toBeNull();
  });

  test('a HEAD of the events ends what would send them', async () => {
    const { handler } = await open();
    for (const method of ['GET', 'HEAD']) {
      const request = new Request('http://station/events', { method });
      const response = await handler(request);
      expect([method, response.status]).toEqual([method, 200]);
      // Who sends events listens for the end of the request.
      expect(getEventListeners(request.signal, 'abort')).toHaveLength(method === 'GET' ? 1 : 0);
      await response.body?.cancel();
    }
  });

  test('a body of another type is 415, one that is not JSON 400, one too large 413', async () => {
    const { ask } = await open();
    const send = (body: string, type: string) =>
      ask('POST', '/algorithms/activate', { body, headers: { 'content-type': type } });
    expect((await send('x', 'text/plain')).status).toBe(415);
    expect((await send('x', 'application/json')).status).toBe(400);
    expect((await send('', 'application/json')).status).toBe(400);
    expect((await send(`"${'x'.repeat(70_000)}"`, 'application/json; charset=utf-8')).status).toBe(413);
  });

  test('a client that takes nothing of what is offered is told so before anything is done', async () => {
    const { ask, registry } = await open();
    const refused = await ask('POST', '/algorithms/install', {
      body: good,
      headers: { ...zip, accept: 'text/html' },
    });
    expect(refused.status).toBe(406);
    expect(await refused.json()).toMatchObject({ code: 'not_acceptable' });
    expect(await registry.list()).toEqual([]);
    expect((await ask('GET', '/algorithms', { headers: { accept: 'text/event-stream' } })).status).toBe(406);
    expect((await ask('GET', '/algorithms', { headers: { accept: 'text/html, */*;q=0.1' } })).status).toBe(
      200,
    );
  });
});

test('a version that computes just now is listed as executing, and found by that state', async () => {
  const { ask, deployer, deliver, supervisor } = await open();
  await deployer.install(await deliver());
  await supervisor.start('sample', '1.0.0');
  const states = async () => {
    const entries = (await (await ask('GET', '/algorithms')).json()) as { state: string }[];
    return entries.map(({ state }) => state);
  };
  expect(await states()).toEqual(['running']);
  const image = { data: new Uint8Array(12), width: 2, height: 2 };
  const target = { name: 'sample', version: '1.0.0' };
  const leave = new AbortController();
  const call = supervisor.execute(
    { target, stepIndex: 1, image, userParams: { sleep_ms: 60_000 }, timeoutMs: 120_000 },
    { signal: leave.signal },
  );
  await expect.poll(states).toEqual(['executing']);
  expect(await (await ask('GET', '/algorithms?state=executing')).json()).toHaveLength(1);
  expect(await (await ask('GET', '/algorithms?state=running')).json()).toEqual([]);
  expect(await (await ask('GET', '/algorithms/sample/1.0.0')).json()).toMatchObject({ state: 'executing' });
  leave.abort();
  await expect(call).rejects.toMatchObject({ code: 'aborted' });
});

test('a switch without a supervisor changes the mapping, and one with warms the version first', async () => {
  const { ask, deployer, deliver, supervisor, registry } = await open();
  await deployer.install(await deliver());
  await deployer.install(await deliver({ version: '2.0.0' }));
  const bare = await open({ registry, deployer, supervisor: undefined });
  const json = (version: string) => ({ json: { name: 'sample', version, pids: ['A01'] } });
  await ask('POST', '/algorithms/activate', json('1.0.0'));
  expect((await bare.ask('POST', '/algorithms/switch', json('2.0.0'))).status).toBe(200);
  expect(supervisor.status()).toEqual([]);
  expect((await ask('POST', '/algorithms/switch', json('1.0.0'))).status).toBe(200);
  expect(supervisor.status()).toMatchObject([{ version: '1.0.0', state: 'running' }]);
  expect(await registry.active()).toMatchObject({ A01: { version: '1.0.0' } });
});

test('under a base path the endpoints stand there and nowhere else', async () => {
  const { ask } = await open({ basePath: '/api/' });
  expect((await ask('GET', '/api/algorithms')).status).toBe(200);
  expect((await ask('GET', '/algorithms')).status).toBe(404);
});

test('what the library did not foresee is told as internal, without its message', async () => {
  const { ask } = await open({
    authorize: () => {
      throw new Error('password of the database');
    },
  });
  const response = await ask('GET', '/algorithms');
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('password');
});

test('a maxUploadBytes that is no size is refused when the handler is made', async () => {
  const { registry, deployer, validator } = { ...(await open()), validator: undefined as never };
  for (const maxUploadBytes of [0, -1, Number.NaN]) {
    expect(() => createRunnerHandler({ registry, deployer, validator, maxUploadBytes })).toThrow(
      /maxUploadBytes/,
    );
  }
});

describe('a failure is told by its code', () => {
  const tell = async (error: unknown) => {
    const response = problemResponse(error);
    return { response, problem: (await response.json()) as Problem };
  };

  test('internal says no more than that: its words may hold what is none of the caller’s business', async () => {
    const { response, problem } = await tell(
      new RunnerError('internal', 'the thing', { details: { stack: 'x' } }),
    );
    expect(response.status).toBe(500);
    expect(problem).toMatchObject({ code: 'internal', detail: 'The server met an unexpected fault' });
    expect(problem).not.toHaveProperty('details');
  });

  const codes = (Object.keys(ERROR_NUMBERS) as RunnerErrorCode[]).filter((code) => code !== 'internal');
  test.each(codes)('%s', async (code) => {
    const { response, problem } = await tell(new RunnerError(code, 'the thing', { details: { name: 'a' } }));
    // Where the machine is at fault, which a failure without a cause does not say, the status is another.
    expect(response.status).toBe(STATUS_OF_CODE[code]);
    expect(problem).toMatchObject({
      code,
      detail: 'the thing',
      status: response.status,
      details: { name: 'a' },
    });
    expect(problem.error_code).toBe(ERROR_NUMBERS[code]);
    expect(problem.retryable).toBe(new RunnerError(code, 'x').retryable);
    expect(response.headers.get('retry-after')).toBe([429, 503].includes(response.status) ? '1' : null);
  });

  test('a full disk is 507, another fault of the system 500, an upload that stopped 408', async () => {
    const failed = (code: string) => {
      const cause = Object.assign(new Error(code), { code });
      return tell(new RunnerError('install_failed', 'x', { cause }));
    };
    expect((await failed('ENOSPC')).response.status).toBe(507);
    expect((await failed('EACCES')).response.status).toBe(500);
    const stopped = new RunnerError('timeout', 'x', { details: { stage: 'receive', timeoutMs: 5 } });
    expect((await tell(stopped)).response.status).toBe(408);
  });

  test('details that cannot be written as JSON are left out', async () => {
    const raw: Record<string, unknown> = {};
    raw.self = raw;
    const { problem } = await tell(
      new RunnerError('contract_violation', 'x', { details: { path: 'x', raw } }),
    );
    expect(problem).not.toHaveProperty('details');
  });
});

test('the README tells the status of every code', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| (\d{3}) \| (`.*) \|$/gm)].flatMap(([, status, codes = '']) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, Number(status)]),
  );
  expect(Object.fromEntries(rows)).toEqual({ ...STATUS_OF_CODE, ...STATUS_OF_FAULT });
});
