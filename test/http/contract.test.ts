import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { ERROR_NUMBERS } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { livingFleet } from '../support/living-fleet.js';
import { openHttpRunner, ZIP, type Asked } from '../support/http-runner.js';
import { OpenApiContract, type Endpoint } from '../support/openapi-contract.js';
import { IS_WINDOWS } from '../support/platform.js';
import type { Schema } from '../support/schema-arbitrary.js';

/** The package that the document speaks of in its examples. */
const EXAMPLE = { name: 'board-check', version: '1.0.0', pids: ['BOARD-7'] };

const served = async () => {
  const { ask } = await openHttpRunner();
  return (await ask('GET', '/openapi.json')).json();
};

/** A picture of one pixel. */
const PICTURE = PNG.sync.write(new PNG({ width: 1, height: 1 }));

/** Of the part that only a host with an outbox has: test/http/outbox.test.ts holds their answers against the document. */
const OF_AN_OUTBOX = ['outbox', 'pauseOutbox', 'resumeOutbox', 'retryOutbox', 'exportOutbox'];
/** Of a server that knows a fleet: test/http/fleet.test.ts. */
const FLEET = ['fleet', 'haltFleet', 'approveFleet', 'backFleet'];
/** Operations that take no JSON, answer without end, or start Pythons: they have tests of their own. */
const OF_THEIR_OWN = [
  ...['inspect', 'infer', 'inferVersion', 'events', 'doctor', 'fix', 'thumbnail'],
  ...OF_AN_OUTBOX,
];
const driven = (contract: OpenApiContract) =>
  contract.endpoints.filter(({ operation }) => !OF_THEIR_OWN.includes(operation.operationId));

/** What of a request the document describes. */
interface Parts {
  path: Record<string, string>;
  query: Record<string, unknown>;
  json?: unknown;
}

function target({ path: pattern }: Endpoint, { path: parts, query }: Pick<Parts, 'path' | 'query'>): string {
  const filled = pattern.replace(/\{(\w+)\}/g, (_, name: string) => segment(parts[name] ?? ''));
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  return search.size > 0 ? `${filled}?${search.toString()}` : filled;
}

/** One part of a path. Dots are percent-encoded twice over: a URL takes `.` and `%2e` for steps of its own. */
function segment(text: string): string {
  return encodeURIComponent(text).replace(/^\.{1,2}$/, (dots) => dots.replaceAll('.', '%252E'));
}

const parametersOf = ({ operation }: Endpoint, place: 'path' | 'query') =>
  (operation.parameters ?? []).filter((parameter) => parameter.in === place);

const jsonOf = ({ operation }: Endpoint) =>
  operation.requestBody?.content['application/json']?.schema as Schema | undefined;

/** Requests that fit the document, their values generated from it. */
function goodParts({ values }: OpenApiContract, endpoint: Endpoint): fc.Arbitrary<Parts> {
  const all = (place: 'path' | 'query') =>
    Object.fromEntries(
      parametersOf(endpoint, place).map(({ name, schema }) => [name, values.good(schema as Schema)]),
    );
  const json = jsonOf(endpoint);
  return (
    fc
      .record({
        path: fc.record(all('path')) as fc.Arbitrary<Parts['path']>,
        query: fc.record(all('query'), { requiredKeys: [] }),
        ...(json && { json: values.good(json) }),
      })
      // A name that leads upwards is refused at the door, whatever stands there.
      .filter(({ path }) => !Object.values(path).some((name) => name.split(/[\\/]/).includes('..')))
      .map(({ query, ...parts }) => ({
        ...parts,
        // What the body says need not be said in the query; something else may not.
        query: Object.fromEntries(
          Object.entries(query).filter(([name]) => !namesOf(parts.json).includes(name)),
        ),
      }))
  );
}

const namesOf = (json: unknown): string[] =>
  typeof json === 'object' && json !== null ? Object.keys(json) : [];

/** Requests with one part that does not fit. */
function badParts(contract: OpenApiContract, endpoint: Endpoint): fc.Arbitrary<Parts> | undefined {
  const { values } = contract;
  const good = goodParts(contract, endpoint);
  const json = jsonOf(endpoint);
  const choices = parametersOf(endpoint, 'query').map(({ name, schema }) =>
    // In an address everything is text: what does not fit must not fit as text either.
    fc
      .tuple(good, values.bad(schema as Schema))
      .filter(([, value]) => !isTextThatFits(contract, schema as Schema, String(value)))
      .map(([parts, value]) => ({ ...parts, query: { ...parts.query, [name]: value } })),
  );
  if (json) {
    choices.push(
      fc.tuple(good, values.bad(json)).map(([parts, unfit]) => ({ ...parts, json: unfit }) as never),
    );
  }
  return choices.length > 0 ? fc.oneof(...choices) : undefined;
}

/** Whether the server may read the text as a value of the schema: digits are a number there, `true` a boolean. */
function isTextThatFits(contract: OpenApiContract, schema: Schema, text: string): boolean {
  const readings: unknown[] = [text, text === 'true' || text === 'false' ? text === 'true' : undefined];
  if (/^\d+$/.test(text)) readings.push(Number(text));
  return readings.some((value) => value !== undefined && contract.fits(schema, value));
}

describe('the document', () => {
  test('is OpenAPI 3.1: its parts, its schemas, its references, its ids', async () => {
    const contract = new OpenApiContract(await served());
    expect(contract.compileAll()).toBeGreaterThan(30);
    const ids = contract.endpoints.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const endpoint of contract.endpoints) {
      const named = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(parametersOf(endpoint, 'path').map(({ name }) => name)).toEqual(named);
    }
  });

  test('knows every code of the library', async () => {
    const { document } = new OpenApiContract(await served());
    const { properties } = document.components.schemas.Problem as {
      properties: { code: { enum: string[] } };
    };
    expect(properties.code.enum).toEqual(expect.arrayContaining(Object.keys(ERROR_NUMBERS)));
  });

  test('stands under the base path, and names it', async () => {
    const { ask } = await openHttpRunner({ basePath: '/api' });
    const { document } = new OpenApiContract(await (await ask('GET', '/api/openapi.json')).json());
    expect(document.servers).toMatchObject([{ url: '/api' }]);
  });
});

test('every endpoint does what its example asks for, in every form it takes, and answers as declared', async () => {
  const runner = await openHttpRunner({ content: true });
  const contract = new OpenApiContract(await (await runner.ask('GET', '/openapi.json')).json());
  const { zips } = runner.registry.layout;
  const zip = await buildPackage(EXAMPLE);
  await writeFile(path.join(zips, `${EXAMPLE.name}-v${EXAMPLE.version}-offline.zip`), zip);
  const form = () => {
    const body = new FormData();
    body.set('file', new Blob([Buffer.from(zip)]), 'package.zip');
    return body;
  };
  const examples = (endpoint: Endpoint) =>
    Object.fromEntries(
      parametersOf(endpoint, 'path').map(({ name, schema }) => [
        name,
        String(contract.values.example(schema as Schema)),
      ]),
    );
  const run = async (id: string, init: Asked, query: Parts['query'] = {}, given?: Parts['path']) => {
    const endpoint = contract.endpoints.find(({ operation }) => operation.operationId === id);
    if (!endpoint) throw new Error(`there is no ${id}`);
    const schema = jsonOf(endpoint);
    const asked = schema && !init.body ? { ...init, json: contract.values.example(schema) } : init;
    const response = await runner.ask(
      endpoint.method,
      target(endpoint, { path: given ?? examples(endpoint), query }),
      asked,
    );
    return contract.expectDeclared(endpoint, response);
  };

  await run('describe', {});
  await run('validate', {});
  await run('install', {});
  await run('list', {}, { state: 'deployed', name: EXAMPLE.name });
  await run('get', {});
  await run('getParameters', {});
  await run('activate', {});
  await run('listActive', {});
  await run('switch', {});
  await run('deactivate', {});
  await run('activate', {});
  expect(await run('uninstall', {})).toMatchObject({ code: 'unsafe_uninstall' });
  await runner.supervisor.stop(EXAMPLE.name, EXAMPLE.version);
  await run('uninstall', {}, { force: true });
  for (const type of ['application/zip', 'application/octet-stream', 'application/x-zip-compressed']) {
    await run('validate', { body: Buffer.from('PK'), headers: { 'content-type': type } });
  }
  await run('validate', { body: form() });
  await run('install', { body: form(), headers: { accept: 'text/event-stream' } });
  await run('activate', {});
  const events = await run('install', { body: 'PK', headers: { ...ZIP, accept: 'text/event-stream' } });
  expect(events).toContainEqual(expect.objectContaining({ name: 'failed' }));
  const image = new Blob([Buffer.from(PICTURE)], { type: 'image/png' });
  await run('inspect', { body: PICTURE, headers: { 'content-type': 'image/png' } });
  const parts = new FormData();
  parts.set('image', image);
  await run('inspect', { body: parts });
  for (const id of [
    'server',
    'serverLive',
    'live',
    'status',
    'metrics',
    'logs',
    'packages',
    'getActive',
    'getParams',
    'setParams',
  ])
    await run(id, {});
  for (const id of [
    'model',
    'modelVersion',
    'ready',
    'health',
    'serverReady',
    'modelReady',
    'modelReadyVersion',
    'doctor',
  ]) {
    await run(id, {});
  }
  await run('fix', { body: '{}', headers: { 'content-type': 'application/json' } });
  expect(await run('thumbnail', {})).toMatchObject({ code: 'not_found' }); // none is kept here
  const tensor = { name: 'image', shape: [1, 1, 3], datatype: 'UINT8', data: [1, 2, 3] };
  const inputs = {
    body: JSON.stringify({ inputs: [tensor] }),
    headers: { 'content-type': 'application/json' },
  };
  await run('infer', inputs);
  await run('inferVersion', inputs);
  // The digests of the example are those of no package: those of this one are asked for.
  const [listed] = (await run('contentIndex', {})) as { digest: string }[];
  const digest = listed?.digest ?? '';
  const text = (await run('contentManifest', {}, {}, { digest })) as string;
  const content = { sha256: /^([0-9a-f]{64}) \d+ .*manifest\.json$/m.exec(text)?.[1] ?? '' };
  await run('contentBlob', {}, {}, content);
  await run('contentBlob', { headers: { range: 'bytes=1-' } }, {}, content);
  await run('configure', {});
  for (const id of ['start', 'verify', 'reset', 'stop', 'prune', 'recover', 'removePackage'])
    await run(id, {});
  await run('switch', {});
  expect(await run('rollback', {})).toMatchObject({ code: 'not_found' }); // there was no version before
  const declared = contract.endpoints.flatMap(({ operation }) =>
    Object.keys(operation.responses)
      .filter(
        (status) =>
          status.startsWith('2') &&
          ![...FLEET, ...OF_AN_OUTBOX, 'events', 'rollback', 'uninstall', 'thumbnail'].includes(
            operation.operationId,
          ),
      )
      .map((status) => `${operation.operationId} ${status}`),
  );
  expect([...contract.seen]).toEqual(expect.arrayContaining(declared));
});

describe('every endpoint, driven by what is generated from the document', () => {
  let document: unknown;
  beforeAll(async () => {
    const { openApiDocument } = await import('../../src/http/openapi.js');
    document = JSON.parse(JSON.stringify(openApiDocument('')));
  });

  test('takes what fits: no answer calls it a bad request, and each is declared', async () => {
    const runner = await openHttpRunner({ content: true, fleet: livingFleet().operator });
    const contract = new OpenApiContract(document);
    for (const endpoint of driven(contract)) {
      await fc.assert(
        fc.asyncProperty(goodParts(contract, endpoint), async ({ json, ...parts }) => {
          const response = await runner.ask(endpoint.method, target(endpoint, parts), { json });
          const body = await contract.expectDeclared(endpoint, response);
          expect(body).not.toMatchObject({ code: 'bad_request' });
          // Windows has no uid, no gid and no namespaces for a worker.
          if (IS_WINDOWS && response.status === 501)
            expect(body).toMatchObject({ code: 'unsupported_platform' });
          else if (response.status !== 503) expect(response.status).toBeLessThan(500);
        }),
        { numRuns: 15 },
      );
    }
  });

  test('refuses what does not fit: a declared 400 that says where', async () => {
    const runner = await openHttpRunner();
    const contract = new OpenApiContract(document);
    let count = 0;
    for (const endpoint of driven(contract)) {
      const bad = badParts(contract, endpoint);
      if (!bad) continue;
      count += 1;
      await fc.assert(
        fc.asyncProperty(bad, async ({ json, ...parts }) => {
          const response = await runner.ask(endpoint.method, target(endpoint, parts), { json });
          // A policy is checked by the supervisor, by the rules that the document has of it.
          const code =
            endpoint.operation.operationId === 'configure'
              ? /^(?:bad_request|invalid_params)$/
              : /^bad_request$/;
          expect(await contract.expectDeclared(endpoint, response)).toMatchObject({
            status: 400,
            code: expect.stringMatching(code) as string,
            detail: expect.stringMatching(/[\w)]: /) as string,
          });
        }),
        { numRuns: 25 },
      );
    }
    expect(count).toBe(19);
    expect(await readdir(runner.registry.layout.zips)).toEqual([]);
    expect(await runner.registry.list()).toEqual([]);
  });

  test('takes bytes as a package whatever they are, in every form of upload', async () => {
    const runner = await openHttpRunner();
    const contract = new OpenApiContract(document);
    const uploading = contract.endpoints.filter(
      ({ operation }) => operation.requestBody?.content['application/zip'],
    );
    expect(uploading.map(({ operation }) => operation.operationId)).toEqual(['install', 'validate']);
    const good = await buildPackage();
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // A package with one byte changed, or cut off.
      fc
        .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, change]) =>
          good.map((byte, index) => (index === at ? byte ^ change : byte)).subarray(0, good.length - 40),
        ),
    );
    const types = fc.constantFrom(
      ...Object.keys(uploading[0]?.operation.requestBody?.content ?? {}).slice(1),
    );
    for (const endpoint of uploading) {
      await fc.assert(
        fc.asyncProperty(bytes, types, async (content, type) => {
          const body = type === 'multipart/form-data' ? new FormData() : Buffer.from(content);
          if (body instanceof FormData) body.set('file', new Blob([Buffer.from(content)]), 'x.zip');
          const headers = body instanceof FormData ? undefined : { 'content-type': type };
          const answer = await runner.ask(endpoint.method, endpoint.path, { body, headers });
          const answered = await contract.expectDeclared(endpoint, answer);
          if (endpoint.operation.operationId === 'install')
            expect(answered).toMatchObject({ code: 'invalid_zip' });
          else
            expect(answered).toMatchObject({ summary: { status: 'FAIL' }, error: { code: 'invalid_zip' } });
        }),
        { numRuns: 30 },
      );
    }
    expect(await readdir(runner.registry.layout.zips)).toEqual([]);
  });

  test('refuses the types, the answers and the methods that the document does not have', async () => {
    const runner = await openHttpRunner();
    const contract = new OpenApiContract(document);
    for (const endpoint of contract.endpoints) {
      const { path: pattern, method, operation } = endpoint;
      const at = pattern.replace(/\{\w+\}/g, 'x');
      if (operation.requestBody) {
        const refused = await runner.ask(method, at, {
          body: 'x',
          headers: { 'content-type': 'text/plain' },
        });
        expect(await contract.expectDeclared(endpoint, refused)).toMatchObject({ status: 415 });
      }
      if (!('204' in operation.responses)) {
        const refused = await runner.ask(method, at, { headers: { accept: 'image/gif' } });
        expect(await contract.expectDeclared(endpoint, refused)).toMatchObject({ status: 406 });
      }
    }
    for (const [pattern, methods] of Object.entries(contract.document.paths)) {
      const taken = Object.keys(methods).map((method) => method.toUpperCase());
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (taken.includes(method)) continue;
        const refused = await runner.ask(method, pattern.replace(/\{\w+\}/g, 'x'));
        expect(refused.status).toBe(405);
        const allowed = (refused.headers.get('allow') ?? '').split(', ').filter((one) => one !== 'HEAD');
        expect(allowed).toEqual(taken);
      }
    }
  });
});
