import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import Koa from 'koa';
import { describe, expect, onTestFinished, test } from 'vitest';
import { toNodeListener } from '../../src/http/index.js';
import { openHttpRunner } from '../support/http-runner.js';
import { temporaryFolder } from '../support/temp-folder.js';

type Problem = Record<string, unknown>;
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ pids: ['nobody'] });
/** What `POST /algorithms/deactivate` answers to it: the body has come through. */
const taken = { status: 404, code: 'not_found' };

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const deactivate = async (url: string): Promise<Problem> =>
  (await (
    await fetch(`${url}/algorithms/deactivate`, { method: 'POST', headers: json, body })
  ).json()) as Problem;

describe('Koa', () => {
  async function koa(options: { basePath?: string }, before?: Koa.Middleware): Promise<string> {
    const { handler } = await openHttpRunner(options);
    const listener = toNodeListener(handler);
    const app = new Koa();
    if (before) app.use(before);
    app.use(async (ctx, next) => {
      if (!ctx.path.startsWith(options.basePath ?? '/')) {
        await next();
        return;
      }
      ctx.respond = false;
      const { body: parsed, rawBody } = ctx.request as { body?: unknown; rawBody?: unknown };
      listener(Object.assign(ctx.req, { body: parsed, rawBody }), ctx.res);
    });
    app.use((ctx) => {
      ctx.body = 'of the host';
    });
    const server = app.listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${await portOf(server)}`;
  }

  test('before a body parser, the handler reads the body', async () => {
    expect(await deactivate(await koa({}))).toMatchObject(taken);
  });

  test.each(['body', 'rawBody'] as const)(
    'behind a body parser that keeps %s, that is taken',
    async (kept) => {
      const url = await koa({}, async (ctx, next) => {
        const chunks: Buffer[] = [];
        for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
        const text = Buffer.concat(chunks).toString();
        Object.assign(ctx.request, { [kept]: kept === 'body' ? (JSON.parse(text) as unknown) : text });
        await next();
      });
      expect(await deactivate(url)).toMatchObject(taken);
    },
  );

  test('under a path, the other paths are the host’s', async () => {
    const url = await koa({ basePath: '/api' });
    expect(await deactivate(`${url}/api`)).toMatchObject(taken);
    expect(await (await fetch(`${url}/else`)).text()).toBe('of the host');
  });
});

test('Hono takes the handler as it is, under a path too', async () => {
  const { handler } = await openHttpRunner({ basePath: '/api' });
  const app = new Hono();
  app.all('/api/*', ({ req }) => handler(req.raw));
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as http.Server;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  expect(await deactivate(`http://127.0.0.1:${await portOf(server)}/api`)).toMatchObject(taken);
});

/** A certificate for 127.0.0.1, made by openssl. */
async function certificate(): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = await temporaryFolder();
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const skipped = hasOpenssl ? '' : ' (skipped: openssl is not installed)';

test.skipIf(!hasOpenssl)(
  `node:https serves it, and the address of its requests is https${skipped}`,
  async () => {
    const { handler } = await openHttpRunner();
    const pair = await certificate();
    const seen: string[] = [];
    const listener = toNodeListener((request) => {
      seen.push(request.url);
      return handler(request);
    });
    const server = https.createServer(pair, listener).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const port = await portOf(server);
    const request = https.request({
      ...{ host: '127.0.0.1', port, path: '/algorithms/deactivate', method: 'POST', headers: json },
      ca: pair.cert,
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.statusCode).toBe(404);
    response.resume();
    expect(seen).toEqual([`https://127.0.0.1:${port}/algorithms/deactivate`]);
  },
);

test.each([false, true])('node:http2 serves it, with TLS: %s', async (isSecure) => {
  if (isSecure && !hasOpenssl) return;
  const { handler } = await openHttpRunner();
  const pair = isSecure ? await certificate() : undefined;
  const listener = toNodeListener(handler);
  const server = (pair ? http2.createSecureServer(pair, listener) : http2.createServer(listener)).listen(
    ...([0, '127.0.0.1'] as const),
  );
  const port = await portOf(server);
  const client = http2.connect(`${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`, { ca: pair?.cert });
  onTestFinished(() => {
    client.close();
    server.close();
  });
  const stream = client.request({ ':path': '/algorithms/deactivate', ':method': 'POST', ...json });
  stream.end(body);
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  expect(headers[':status']).toBe(404);
  expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject(taken);
});

describe('a GET with a body', () => {
  const ask = async (url: string, target: string) => {
    const request = http.request(`${url}${target}`, { method: 'GET', headers: { 'content-length': 2 } });
    request.end('{}');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return [response.statusCode, response.headers.allow];
  };

  test('is 405 where GET is not taken, else 400', async () => {
    const { handler } = await openHttpRunner();
    const server = http.createServer(toNodeListener(handler)).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${await portOf(server)}`;
    expect(await ask(url, '/algorithms/activate')).toEqual([405, 'POST']);
    expect(await ask(url, '/algorithms')).toEqual([400, undefined]);
    expect(await ask(url, '/nowhere')).toEqual([404, undefined]);
  });
});
