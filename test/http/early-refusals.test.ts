import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import axios from 'axios';
import got from 'got';
import { describe, expect, test } from 'vitest';
import { openDoor, whyNot, type Door } from '../support/http-doors.js';
import { openHttpRunner } from '../support/http-runner.js';

const TRIES = 6;
const BODY = Buffer.alloc(24 * 1024 ** 2, 'x');
const PIECE_BYTES = 64 * 1024;
const PATH = '/algorithms/install';
const ZIP = { 'content-type': 'application/zip' };

interface Refusal {
  status: number;
  code: string | undefined;
}

/** Sends all of it before it looks at what came back, as plain clients do. */
async function overSocket(port: number, version: string, more: string): Promise<Refusal> {
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
  socket.write(`POST ${PATH} HTTP/${version}\r\nhost: station\r\n${more}content-length: ${BODY.length}\r\n`);
  socket.write('content-type: application/zip\r\n\r\n');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.write(BODY, () => {
      resolve();
    });
  });
  if (!socket.closed) await once(socket, 'close');
  const [, status] = /^HTTP\/1\.\d (\d{3})/.exec(answer) ?? [];
  return { status: Number(status), code: /"code":"(\w+)"/.exec(answer)?.[1] };
}

async function overHttp2(port: number): Promise<Refusal> {
  const client = http2.connect(`http://127.0.0.1:${port}`);
  const stream = client.request({ ':method': 'POST', ':path': PATH, ...ZIP });
  let status = 0;
  let text = '';
  stream.on('response', (headers) => (status = headers[':status'] ?? 0));
  stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  // In pieces: Node's client refuses every answer while it holds more than 10 MB that are still to be sent.
  const pieces = Array.from({ length: BODY.length / PIECE_BYTES }, (_, at) =>
    BODY.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES),
  );
  Readable.from(pieces).pipe(stream);
  await once(stream, 'close');
  client.close();
  return { status, code: (JSON.parse(text) as { code: string }).code };
}

const CLIENTS: [name: string, door: Door, send: (port: number) => Promise<Refusal>][] = [
  ['HTTP/1.0', 'http', (port) => overSocket(port, '1.0', '')],
  ['HTTP/1.1 with Connection: close', 'http', (port) => overSocket(port, '1.1', 'connection: close\r\n')],
  ['nginx as it proxies by default', 'nginx', (port) => overSocket(port, '1.1', 'connection: close\r\n')],
  [
    'axios without keep-alive',
    'http',
    async (port) => {
      const options = { headers: ZIP, validateStatus: () => true, maxRedirects: 0, maxBodyLength: Infinity };
      const { status, data } = await axios.post<Refusal>(`http://127.0.0.1:${port}${PATH}`, BODY, options);
      return { status, code: data.code };
    },
  ],
  [
    'got without keep-alive',
    'http',
    async (port) => {
      const options = { body: BODY, headers: ZIP, throwHttpErrors: false, retry: { limit: 0 } };
      const { statusCode, body } = await got.post(`http://127.0.0.1:${port}${PATH}`, options);
      return { status: statusCode, code: (JSON.parse(body) as Refusal).code };
    },
  ],
  ['node:http2', 'http2', overHttp2],
];

describe.each(CLIENTS)('a refusal before the body has come reaches %s', (_name, door, send) => {
  test.skipIf(whyNot(door) !== undefined)('in each of several tries', { timeout: 60_000 }, async () => {
    const { handler } = await openHttpRunner({ authorize: () => false });
    const { port } = await openDoor(door, handler);
    for (let turn = 0; turn < TRIES; turn++) {
      expect(await send(port)).toEqual({ status: 403, code: 'forbidden' });
    }
  });

  test.skipIf(whyNot(door) !== undefined)('when it is found in the middle of the body', async () => {
    const { handler } = await openHttpRunner({ maxUploadBytes: BODY.length - 1 });
    const { port } = await openDoor(door, handler);
    expect(await send(port)).toEqual({ status: 413, code: 'payload_too_large' });
  });
});
