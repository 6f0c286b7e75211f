import { readdir } from 'node:fs/promises';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { openHttpRunner, ZIP } from '../support/http-runner.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM = { 'content-type': 'multipart/form-data; boundary=B' };
const FILE = '--B\r\ncontent-disposition: form-data; name="file"; filename="a.zip"\r\n\r\n';
const FIELD = '--B\r\ncontent-disposition: form-data; name="note"\r\n\r\n';

/** A body that gives these pieces and then nothing more, without an end. */
function stalled(...pieces: string[]): ReadableStream<Uint8Array> {
  const left = pieces.map((piece) => new TextEncoder().encode(piece));
  return new ReadableStream({
    pull(controller) {
      const next = left.shift();
      if (!next) return new Promise<void>(() => undefined);
      controller.enqueue(next);
    },
  });
}

/** A body that goes on and on with the same piece, each after a pause of so many milliseconds. */
function endless(
  first: string,
  piece: string,
  pauseMs: number,
): { body: ReadableStream; given: () => number } {
  let given = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        const bytes = new TextEncoder().encode(given === 0 ? first + piece : piece);
        given += bytes.length;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
  return { body, given: () => given };
}

const ENDPOINTS: [what: string, target: string, headers: Record<string, string>, start: string][] = [
  ['JSON of activate', '/algorithms/activate', JSON_TYPE, '{"name":"'],
  ['JSON of install', '/algorithms/install', JSON_TYPE, '{"path":"'],
  ['JSON of switch', '/algorithms/switch', JSON_TYPE, '{"name":"'],
  ['a package', '/algorithms/install', ZIP, 'PK'],
  ['a package to validate', '/algorithms/validate', ZIP, 'PK'],
  ['a form in its file', '/algorithms/install', FORM, `${FILE}PK`],
  ['a form before its file', '/algorithms/install', FORM, '--B\r\n'],
  ['a form in a field', '/algorithms/install', FORM, `${FIELD}x`],
];

describe.each(ENDPOINTS)('%s', (_what, target, headers, start) => {
  test.each([
    ['that stops', 0, (): ReadableStream => stalled(start)],
    ['that drips', 1e9, (): ReadableStream => endless(start, 'x', 5).body],
  ])('%s is answered with 408', async (_how, leastUploadBytesPerSecond, body) => {
    const { ask, registry } = await openHttpRunner({ uploadIdleMs: 40, leastUploadBytesPerSecond });
    const response = await ask('POST', target, { body: body(), headers, duplex: 'half' });
    expect(response.status).toBe(408);
    expect(await response.json()).toMatchObject({ code: 'timeout', retryable: true });
    expect(await readdir(registry.layout.staging).catch(() => [])).toEqual([]);
  });
});

test.each([
  ['before its first part', ''],
  ['in a field', FIELD],
  ['after its file', `${FILE}PK\r\n--B--\r\n`],
])('a form without end %s is refused after less than a megabyte', async (_where, first) => {
  const { ask } = await openHttpRunner();
  const { body, given } = endless(first, '-'.repeat(16_384), 0);
  const response = await ask('POST', '/algorithms/install', { body, headers: FORM, duplex: 'half' });
  expect([400, 413]).toContain(response.status);
  expect(given()).toBeLessThan(1024 ** 2);
});

test('the time of a body is that of the deployer where the handler is given none', async () => {
  const { deployer } = await openHttpRunner();
  expect(deployer.uploadIdleMs).toBe(60_000);
  const { ask } = await openHttpRunner({ deployer: Object.assign(deployer, { uploadIdleMs: 30 }) });
  const response = await ask('POST', '/algorithms/activate', {
    ...{ body: stalled('{'), headers: JSON_TYPE, duplex: 'half' },
  });
  expect(response.status).toBe(408);
});

test.each([
  [{ uploadIdleMs: 0 }, /uploadIdleMs/],
  [{ uploadIdleMs: 2 ** 31 }, /uploadIdleMs/],
  [{ leastUploadBytesPerSecond: -1 }, /leastUploadBytesPerSecond/],
])('%j is refused when the handler is made', async (options, message) => {
  await expect(openHttpRunner(options)).rejects.toThrow(message);
});

test('an upload that the host ends while it waits for bytes ends at once', async () => {
  const { ask, deployer, registry } = await openHttpRunner();
  const asked = ask('POST', '/algorithms/install', { body: stalled('PK'), headers: ZIP, duplex: 'half' });
  await expect.poll(() => readdir(registry.layout.staging).catch(() => [])).toHaveLength(1);
  await deployer.close();
  expect((await asked).status).toBe(503);
});

test('thirty operations at once print no warning of listeners', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const { ask, deployer } = await openHttpRunner();
  const zip = Buffer.from(await buildPackage());
  const one = new AbortController();
  await Promise.all(
    Array.from({ length: 30 }, async () => {
      await ask('POST', '/algorithms/install', {
        body: zip,
        headers: { ...ZIP, accept: 'text/event-stream' },
      });
      await deployer.scan({ signal: one.signal });
    }),
  );
  await new Promise(setImmediate); // a warning is told a turn later
  process.off('warning', onWarning);
  expect(warnings.map(({ message }) => message)).toEqual([]);
});

test('a refusal does not wait for a client that stopped sending', async () => {
  const { serveHttpRunner } = await import('../support/http-runner.js');
  const { port } = await serveHttpRunner({ authorize: () => false });
  const socket = net.connect(port, '127.0.0.1');
  const answered = new Promise<string>((resolve) =>
    socket.once('data', (bytes) => resolve(bytes.toString())),
  );
  socket.write('POST /algorithms/install HTTP/1.0\r\ncontent-length: 1000\r\n\r\nhalf');
  expect(await answered).toMatch(/^HTTP\/1\.1 403 [\s\S]*content-length: \d+/i);
  socket.destroy();
});
