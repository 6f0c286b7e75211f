import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRunnerHandler, type RunnerHandlerOptions } from '../../src/http/index.js';
import { STATUS_OF_CODE, STATUS_OF_FAULT } from '../../src/http/problem.js';
import { openApiDocument } from '../../src/http/openapi.js';
import { PackageValidator, VenvManager } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { openStation, type Station } from '../support/station.js';

type Handle = (method: string, target: string, init?: RequestInit & { json?: unknown }) => Promise<Response>;
type Problem = Record<string, unknown> & { code: string; detail: string };

const good = await buildPackage();
const zip = { 'content-type': 'application/zip' };

async function open(options: Partial<RunnerHandlerOptions> = {}): Promise<Station & { ask: Handle }> {
  const station = await openStation();
  const { registry, deployer, supervisor } = station;
  const validator = new PackageValidator({ venvs: new VenvManager() });
  const handler = createRunnerHandler({
    registry,
    deployer,
    supervisor,
    validator,
    authorize: () => true,
    ...options,
  });
  const ask: Handle = (method, target, { json, ...init } = {}) =>
    handler(
      new Request(`http://station${target}`, {
        method,
        ...(json !== undefined && {
          body: JSON.stringify(json),
          headers: { 'content-type': 'application/json' },
        }),
        ...init,
      }),
    );
  return { ...station, ask };
}

/** A body that gives some bytes and then breaks, as when a cable is pulled. */
function brokenBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let isFirst = true;
  return new ReadableStream({
    pull(controller) {
      if (!isFirst) throw new Error('connection reset');
      isFirst = false;
      controller.enqueue(bytes);
    },
  });
}

const upload = (body: ReadableStream<Uint8Array>) => ({ body, duplex: 'half' as const, headers: zip });

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
      return [...(await response.text()).matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name, data]) => ({
        name,
        data: JSON.parse(data ?? '') as Record<string, unknown>,
      }));
    };
    const told = await events(good);
    expect(told.at(-1)).toMatchObject({ name: 'installed', data: { name: 'sample' } });
    const fractions = told.filter(({ name }) => name === 'progress').map(({ data }) => Number(data.fraction));
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(told.some(({ name, data }) => name === 'stage' && data.stage === 'environment')).toBe(true);
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

describe('an upload that does not arrive leaves nothing', () => {
  test.each([
    ['cut off in the middle', () => upload(brokenBody(good.subarray(0, 1000))), 400],
    ['larger than the server takes', () => ({ body: good, headers: zip }), 413],
    ['empty', () => ({ headers: zip }), 400],
    ['multipart without a file', (): RequestInit => ({ body: new FormData() }), 400],
  ])('%s', async (title, init, status) => {
    const { ask, registry } = await open(title.startsWith('larger') ? { maxUploadBytes: 1000 } : {});
    const response = await ask('POST', '/algorithms/install', init());
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await registry.list()).toEqual([]);
    expect(await readdir(registry.layout.zips)).toEqual([]);
  });
});

describe('a path from a request cannot leave zips/', () => {
  test.each(['../../registry.json', '/etc/passwd', 'link.zip', '..', '.', 'x\0.zip', 'nothing.zip'])(
    '%j',
    async (name) => {
      const { ask, registry, root } = await open();
      await mkdir(registry.layout.zips, { recursive: true });
      await writeFile(path.join(root, 'outside.zip'), good);
      await symlink(path.join(root, 'outside.zip'), path.join(registry.layout.zips, 'link.zip'));
      const response = await ask('POST', '/algorithms/install', { json: { path: name } });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'not_found' });
    },
  );
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
      ['GET', '/algorithms'],
      ['GET', '/algorithms/active'],
      ['POST', '/algorithms/install'],
      ['POST', '/algorithms/activate'],
      ['POST', '/algorithms/switch'],
      ['POST', '/algorithms/validate'],
      ['DELETE', '/algorithms/a/1'],
    ] as const;
    for (const [method, target] of requests) expect((await ask(method, target)).status).toBe(403);
    expect(asked).toEqual([
      'describe',
      'list',
      'list',
      'install',
      'activate',
      'switch',
      'validate',
      'uninstall',
    ]);
    expect(await registry.list()).toEqual([]);
  });
});

interface Operation {
  operationId: string;
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

describe('held against its own OpenAPI document', () => {
  const paths = openApiDocument('').paths as Record<string, Record<string, Operation>>;

  test('which it serves', async () => {
    const station = await open();
    const document = (await (await station.ask('GET', '/openapi.json')).json()) as Record<string, unknown>;
    expect(document).toMatchObject({ openapi: '3.1.0', paths: JSON.parse(JSON.stringify(paths)) as object });
  });

  test('every operation answers garbage with a problem document of a status below 500', async () => {
    const station = await open();
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record(
        { name: fc.string(), version: fc.string(), pids: fc.array(fc.string()), path: fc.string() },
        { requiredKeys: [] },
      ),
    );
    const operations = Object.entries(paths).flatMap(([target, methods]) =>
      Object.keys(methods).map((method) => ({ target, method })),
    );
    const part = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .map((text) => encodeURIComponent(text).replaceAll('.', '%2E'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...operations),
        value,
        part,
        part,
        async ({ target, method }, json, name, version) => {
          const url = target.replace('{name}', name).replace('{version}', version);
          const response = await station.ask(method.toUpperCase(), url, method === 'post' ? { json } : {});
          expect(response.status).toBeLessThan(500);
          const declared = paths[target]?.[method]?.responses ?? {};
          if (response.status >= 400) {
            expect(response.headers.get('content-type')).toBe('application/problem+json');
            const problem = (await response.json()) as Problem;
            expect(problem).toMatchObject({
              status: response.status,
              type: `urn:procvision-runner:${problem.code}`,
            });
          } else {
            expect(Object.keys(declared)).toContain(String(response.status));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('what it does not describe is 404, and a method it does not take 405 with those it does', async () => {
    const station = await open();
    expect((await station.ask('GET', '/nowhere')).status).toBe(404);
    const refused = await station.ask('PUT', '/algorithms/install', { body: 'x' });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toBe('POST');
    const type = await station.ask('POST', '/algorithms/activate', {
      body: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(type.status).toBe(415);
  });
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

test('the README tells the status of every code', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const told = [...readme.matchAll(/^\| (\d{3}) \| (`.*) \|$/gm)].flatMap(([, status, codes = '']) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, Number(status)]),
  );
  expect(Object.fromEntries(told)).toEqual({ ...STATUS_OF_CODE, ...STATUS_OF_FAULT });
});
