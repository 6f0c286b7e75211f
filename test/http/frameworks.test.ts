import http, { type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { toNodeListener, type RunnerHandlerOptions } from '../../src/http/index.js';
import { openHttpRunner } from '../support/http-runner.js';

type Problem = Record<string, unknown>;
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ pids: ['nobody'] });

async function listen(app: RequestListener): Promise<string> {
  const server = http.createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function expressAt(
  options: Partial<RunnerHandlerOptions>,
  mount: (app: express.Express, listener: RequestListener) => void,
): Promise<string> {
  const { handler } = await openHttpRunner(options);
  const app = express();
  mount(app, toNodeListener(handler));
  return listen(app);
}

describe('Express keeps its base path', () => {
  test.each([
    ['', '/api', '/api'],
    ['/api', '/api', '/api'],
    ['/v1', '/api', '/api/v1'],
    ['/api', '/', '/api'],
  ])('with basePath %j, mounted at %s, the endpoints are under %s', async (basePath, at, base) => {
    const url = await expressAt({ basePath }, (app, listener) => app.use(at, listener));
    const document = (await (await fetch(`${url}${base}/openapi.json`)).json()) as {
      servers: { url: string }[];
    };
    expect(document.servers[0]?.url).toBe(base);
    const unknown = (await (await fetch(`${url}${base}/nowhere`)).json()) as Problem;
    expect(unknown.detail).toContain(`${base}/openapi.json`);
  });
});

describe('behind a body parser', () => {
  const deactivate = async (url: string) => {
    const response = await fetch(`${url}/algorithms/deactivate`, { method: 'POST', headers: json, body });
    return (await response.json()) as Problem;
  };

  test.each<[string, (app: express.Express) => void]>([
    ['express.json()', (app) => app.use(express.json())],
    ['express.text()', (app) => app.use(express.text({ type: '*/*' }))],
    ['express.raw()', (app) => app.use(express.raw({ type: '*/*' }))],
  ])('of %s the body is taken as it was kept', async (_title, parse) => {
    const url = await expressAt({}, (app, listener) => {
      parse(app);
      app.use(listener);
    });
    expect(await deactivate(url)).toMatchObject({ code: 'not_found' });
  });

  test('that kept nothing, the answer says so, and comes at once', async () => {
    const url = await expressAt({}, (app, listener) => {
      app.use((request, _response, next) => {
        request.resume().once('end', next);
      });
      app.use(listener);
    });
    expect(await deactivate(url)).toMatchObject({ status: 500, code: 'body_consumed' });
  });

  test('of Fastify the parsed body is handed over', async () => {
    const { handler } = await openHttpRunner();
    const listener = toNodeListener(handler);
    const app = fastify();
    app.all('/*', (request, reply) => {
      reply.hijack();
      listener(Object.assign(request.raw, { body: request.body }), reply.raw);
    });
    onTestFinished(() => app.close());
    expect(await deactivate(await app.listen({ port: 0, host: '127.0.0.1' }))).toMatchObject({
      code: 'not_found',
    });
  });
});

test('options that are promises, or that there are not, are refused when the handler is made', async () => {
  const { registry, deployer } = await openHttpRunner();
  const { createRunnerHandler } = await import('../../src/http/index.js');
  expect(() => createRunnerHandler({ registry: Promise.resolve(registry) as never, deployer })).toThrow(
    /await/,
  );
  expect(() => createRunnerHandler(Promise.resolve({}) as never)).toThrow(/await/);
  // A host's own station has more than the handler needs.
  const station = { registry, deployer, root: '/srv/station', supervise: () => undefined };
  expect(createRunnerHandler({ ...station, authorize: () => true })).toBeTypeOf('function');
  expect(() => createRunnerHandler({ registry, deployer, autorize: () => true } as never)).toThrow(
    /authorize/,
  );
  expect(() => createRunnerHandler({ registry, deployer })).not.toThrow();
});

test('a part of a form without a file name is taken as the package', async () => {
  const { ask } = await openHttpRunner();
  const form = '--b \r\nContent-Disposition: form-data; name="file"\r\n\r\nno zip\r\n--b--\r\n';
  const response = await ask('POST', '/algorithms/install', {
    body: form,
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  });
  expect(await response.json()).toMatchObject({ status: 422, code: 'invalid_zip' });
});
