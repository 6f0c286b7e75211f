import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { toNodeListener } from '../../src/http/index.js';
import { listenWith } from '../support/http-runner.js';

const MIB = 1024 ** 2;

/** Sends bytes as they are and gives everything that comes back until the server closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  let answer = '';
  socket.on('data', (part: string) => (answer += part));
  socket.end(text);
  await once(socket, 'close');
  return answer;
}

test('method, path, query, headers and body arrive as they were sent', async () => {
  const port = await listenWith(async (request) =>
    Response.json({
      method: request.method,
      url: request.url,
      two: request.headers.get('x-two'),
      body: await request.text(),
    }),
  );
  const response = await fetch(`http://127.0.0.1:${port}/a%20b/?q=%C3%A9`, {
    method: 'PUT',
    headers: [
      ['x-two', '1'],
      ['x-two', '2'],
    ],
    body: 'hello',
  });
  expect(await response.json()).toEqual({
    ...{ method: 'PUT', url: `http://127.0.0.1:${port}/a%20b/?q=%C3%A9`, two: '1, 2', body: 'hello' },
  });
});

test('status, headers and each cookie of the answer are sent; HEAD gets no body', async () => {
  const port = await listenWith(() => {
    const headers = new Headers({ 'x-a': 'b' });
    headers.append('set-cookie', 'a=1');
    headers.append('set-cookie', 'b=2');
    return Promise.resolve(new Response('body', { status: 207, headers }));
  });
  const response = await fetch(`http://127.0.0.1:${port}`);
  expect(response.status).toBe(207);
  expect(response.headers.get('x-a')).toBe('b');
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(await response.text()).toBe('body');
  expect(await (await fetch(`http://127.0.0.1:${port}`, { method: 'HEAD' })).text()).toBe('');
});

test('a body that is read slowly is taken in slowly: the rest stays with the sender', async () => {
  let goOn = (): void => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const server = http.createServer(
    toNodeListener(async (request) => {
      let size = 0;
      for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        await gate;
      }
      return Response.json(size);
    }),
  );
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connected = once(server, 'connection') as Promise<[net.Socket]>;
  const answer = fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: Buffer.alloc(64 * MIB) });
  const [socket] = await connected;
  let before = 0;
  await expect
    .poll(
      () => {
        const isStill = before > 0 && socket.bytesRead === before;
        before = socket.bytesRead;
        return isStill;
      },
      { interval: 100 },
    )
    .toBe(true);
  expect(before).toBeLessThan(8 * MIB);
  goOn();
  expect(await (await answer).json()).toBe(64 * MIB);
});

test('an answer given before the body has come reaches a client that is still sending', async () => {
  const port = await listenWith(() => Promise.resolve(new Response('too much', { status: 413 })));
  const request = http.request({ port, host: '127.0.0.1', method: 'POST' });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  request.write(Buffer.alloc(MIB));
  const [response] = await answered;
  expect(response.statusCode).toBe(413);
  // What is sent on is read and thrown away, so that a client that reads only after sending is answered as well.
  const sent = once(request, 'finish');
  request.end(Buffer.alloc(32 * MIB));
  await sent;
  request.on('error', () => undefined); // the end of the test closes the connection under it
  expect(await new Response(Readable.toWeb(response) as ReadableStream).text()).toBe('too much');
});

test('an answer given in the middle of reading the body reaches the client too', async () => {
  const port = await listenWith(async (request) => {
    const reader = request.body?.getReader();
    await reader?.read();
    await reader?.cancel(new Error('enough'));
    return new Response('enough', { status: 413 });
  });
  const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: Buffer.alloc(8 * MIB) });
  expect(response.status).toBe(413);
  expect(await response.text()).toBe('enough');
});

test('a connection that breaks in the middle of the body fails the body and fires the signal', async () => {
  const events: string[] = [];
  let reach!: () => void;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const port = await listenWith(async (request) => {
    request.signal.addEventListener('abort', () => events.push('signal'));
    reach();
    await request.text().catch(() => events.push('body'));
    return new Response();
  });
  const socket = net.connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf of it');
  await reached;
  socket.destroy();
  await expect.poll(() => events.sort()).toEqual(['body', 'signal']);
});

test('a client that leaves in the middle of the answer cancels it', async () => {
  let isCancelled = false;
  const port = await listenWith(() => {
    const endless = new ReadableStream({
      pull: async (controller) => {
        await new Promise(setImmediate);
        controller.enqueue(new Uint8Array(1024));
      },
      cancel: () => void (isCancelled = true),
    });
    return Promise.resolve(new Response(endless));
  });
  const leave = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}`, { signal: leave.signal });
  await response.body?.getReader().read();
  leave.abort();
  await expect.poll(() => isCancelled).toBe(true);
});

test.each([
  ['a host that is none', 'GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n'],
  ['a target without a place', 'OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'],
])('%s is answered with 400', async (_title, text) => {
  const port = await listenWith(() => Promise.resolve(new Response('reached')));
  expect(await exchange(port, text)).toMatch(/^HTTP\/1.1 400 /);
});

test('a method that no request of the web may have is 405, with a problem and those that are taken', async () => {
  const port = await listenWith(() => Promise.resolve(new Response('reached')));
  const answer = await exchange(port, 'TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 405 /);
  expect(answer).toMatch(/\r\nallow: GET, HEAD, POST, PUT, DELETE\r\n/);
  expect(answer).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/);
  expect(answer).toContain('"code":"method_not_allowed"');
});

test('a path of two slashes does not become a host', async () => {
  const port = await listenWith((request) => Promise.resolve(new Response(request.url)));
  const answer = await exchange(port, 'GET //evil/x HTTP/1.1\r\nhost: good\r\nconnection: close\r\n\r\n');
  expect(answer).toContain('http://good//evil/x');
});

test('a handler that fails is answered with 500, and the server lives on', async () => {
  const port = await listenWith(() => Promise.reject(new Error('unforeseen')));
  expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(500);
  expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(500);
});
