import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http, { type RequestListener } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { serve, type HttpBindings } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { onTestFinished } from 'vitest';
import { toNodeListener } from '../../src/http/index.js';
import { freePort } from './free-port.js';

/** Servers that the handler is mounted in. */
export const DOORS = ['http', 'https', 'http2', 'express', 'fastify', 'hono', 'nginx'] as const;
export type Door = (typeof DOORS)[number];

type Handler = (request: Request) => Promise<Response>;

/** A request, such that it can be written as it is. */
export interface RawRequest {
  method: string;
  target: string;
  /** `Host: station` comes first where none is given. */
  headers?: [name: string, value: string][];
  body?: string;
}

/** What came back: 0 where the server closed without an answer, undefined where this client cannot send such a thing. */
export type Answered = { status: number; body: string } | undefined;

/** Why a door cannot be tried here; undefined where it can. */
export function whyNot(door: Door): string | undefined {
  const program = door === 'nginx' ? 'nginx' : door === 'https' ? 'openssl' : undefined;
  if (program === undefined) return undefined;
  try {
    execFileSync(program, [program === 'nginx' ? '-v' : 'version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `there is no ${program} here`;
  }
}

/** Opens a door; gives what sends a request through it. It closes with the test. */
export async function openDoor(
  door: Door,
  handler: Handler,
): Promise<{ port: number; send: (request: RawRequest) => Promise<Answered> }> {
  const listener = toNodeListener(handler);
  if (door === 'https') {
    const keys = await selfSigned();
    const port = await listen(https.createServer(keys, listener));
    return { port, send: (request) => exchange(tls.connect({ port, rejectUnauthorized: false }), request) };
  }
  if (door === 'http2') {
    const port = await listen(http2.createServer(listener));
    return { port, send: (request) => overHttp2(port, request) };
  }
  const port = await openPlain(door, listener, handler);
  return { port, send: (request) => exchange(net.connect(port, '127.0.0.1'), request) };
}

async function openPlain(door: Door, listener: RequestListener, handler: Handler): Promise<number> {
  switch (door) {
    case 'express':
      return listen(http.createServer(express().disable('x-powered-by').use(listener) as RequestListener));
    case 'fastify': {
      const app = fastify();
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('*', (_request, _payload, done) => {
        done(null);
      });
      app.all('/*', (request, reply) => {
        reply.hijack();
        listener(request.raw, reply.raw);
      });
      await app.listen({ port: 0, host: '127.0.0.1' });
      onTestFinished(() => app.close());
      return (app.server.address() as AddressInfo).port;
    }
    case 'hono': {
      const app = new Hono<{ Bindings: HttpBindings }>().all('*', (context) => handler(context.req.raw));
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as http.Server;
      return listening(server);
    }
    case 'nginx':
      return nginxTo(await listen(http.createServer(listener)));
    default:
      return listen(http.createServer(listener));
  }
}

/** nginx as it proxies by default: HTTP/1.0 to the server behind, a connection for each request. */
async function nginxTo(port: number): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'nginx-'));
  const own = await freePort();
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (n) => `${n}_temp_path ${folder}/${n};`,
  );
  await writeFile(
    path.join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http { access_log off; client_max_body_size 0; ${paths.join(' ')}
      server { listen 127.0.0.1:${own}; location / { proxy_pass http://127.0.0.1:${port}; } } }`,
  );
  const child = spawn('nginx', ['-c', path.join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  });
  for (;;) {
    const socket = net.connect(own, '127.0.0.1');
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return own;
    if (child.exitCode !== null) throw new Error(await readFile(path.join(folder, 'error.log'), 'utf8'));
  }
}

async function listen(server: http.Server | https.Server | http2.Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  return listening(server);
}

async function listening(server: net.Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  onTestFinished(() => {
    if ('closeAllConnections' in server) (server as http.Server).closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const { stdout } = await promisify(execFile)('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      '-',
      '-days',
      '1',
      '-subj',
      '/CN=station',
    ],
  ]);
  const [key = '', cert = ''] = stdout.match(/-----BEGIN[\s\S]*?-----END[^-]*-----\n/g) ?? [];
  return { key, cert };
}

/** Writes the request as HTTP/1.1 and reads until the server closes. */
async function exchange(socket: net.Socket, request: RawRequest): Promise<Answered> {
  const { method, target, headers = [], body = '' } = request;
  const has = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted);
  const all = [
    ...(has('host') ? [] : [['Host', 'station']]),
    ...headers.filter(([, value]) => value !== NONE),
    ...(body === '' || has('content-length') ? [] : [['Content-Length', String(Buffer.byteLength(body))]]),
    ['Connection', 'close'],
  ];
  const head = all.map(([name = '', value = '']) => `${name}: ${value}\r\n`).join('');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
  socket.on('error', () => undefined);
  socket.write(Buffer.from(`${method} ${target} HTTP/1.1\r\n${head}\r\n${body}`, 'latin1'));
  await once(socket, 'close').catch(() => undefined);
  const [, status = '0'] = /^HTTP\/1\.\d (\d{3})/.exec(answer) ?? [];
  return { status: Number(status), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
}

/** Value of a header that is to be left out, such as a Host that must not be filled in. */
export const NONE = '\0none';

async function overHttp2(port: number, request: RawRequest): Promise<Answered> {
  const { method, target, headers = [], body = '' } = request;
  const given: http2.OutgoingHttpHeaders = { ':method': method, ':path': target, ':authority': 'station' };
  for (const [name, value] of headers) {
    const key = name.toLowerCase() === 'host' ? ':authority' : name.toLowerCase();
    const before = given[key];
    if (key === ':authority' && headers.filter(([one]) => one.toLowerCase() === 'host').length > 1)
      return undefined;
    if (['transfer-encoding', 'connection'].includes(key) || value === NONE) return undefined;
    given[key] = before === undefined || key === ':authority' ? value : [String(before), value];
  }
  const client = http2.connect(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  try {
    const stream = client.request(given, { endStream: body === '' });
    let status = 0;
    let text = '';
    stream.on('response', (answer) => (status = answer[':status'] ?? 0));
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    stream.on('error', () => undefined);
    if (body !== '') stream.end(body);
    await once(stream, 'close').catch(() => undefined);
    return { status, body: text };
  } catch (error) {
    // Node's own client refuses to send some of it.
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_HTTP2_') !== true) throw error;
    return undefined;
  } finally {
    client.close();
  }
}
