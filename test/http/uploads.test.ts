import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import net from 'node:net';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { eventsOf, openHttpRunner, serveHttpRunner, ZIP, type HttpRunner } from '../support/http-runner.js';

const UPLOADS = 10;
const PIECE_BYTES = 4096;

const good = await buildPackage();

/** What the store holds, all of it agreeing: the registry, the zips, the folders and their contents. */
async function deployedVersions({ registry, deployer }: HttpRunner): Promise<string[]> {
  const versions = (await registry.list({ state: 'deployed' })).map(({ version }) => version).sort();
  expect((await readdir(registry.layout.zips)).sort()).toEqual(
    versions.map((version) => `sample-v${version}-offline.zip`).sort(),
  );
  expect(await staged({ registry })).toEqual([]);
  for (const version of versions) {
    expect(await deployer.verify('sample', version)).toMatchObject({ intact: true });
  }
  return versions;
}

/** What operations have under way on disk. */
async function staged({ registry }: Pick<HttpRunner, 'registry'>): Promise<string[]> {
  return readdir(registry.layout.staging).catch(() => []);
}

interface Answer {
  status: number;
  body: { version?: string; code?: string; retryable?: boolean };
}

/** Sends a package in small pieces, so that the uploads of one test are all under way at once. */
async function upload(url: string, zip: Uint8Array): Promise<Answer> {
  const pieces = function* () {
    for (let at = 0; at < zip.length; at += PIECE_BYTES) yield zip.subarray(at, at + PIECE_BYTES);
  };
  const response = await fetch(`${url}/algorithms/install`, {
    method: 'POST',
    headers: ZIP,
    body: Readable.toWeb(Readable.from(pieces())) as ReadableStream<Uint8Array>,
    duplex: 'half',
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

describe('ten uploads at once', () => {
  test('of ten versions are all installed, at once or when those told to come again do', async () => {
    const runner = await serveHttpRunner();
    const versions = Array.from({ length: UPLOADS }, (_, index) => `1.${index}.0`);
    const installed = await Promise.all(
      versions.map(async (version) => {
        const zip = await buildPackage({ version });
        for (;;) {
          const { status, body } = await upload(runner.url, zip);
          if (status === 201) return body.version;
          expect({ status, ...body }).toMatchObject({ status: 503, retryable: true });
        }
      }),
    );
    expect(installed).toEqual(versions);
    expect(await deployedVersions(runner)).toEqual(versions);
  });

  test('of one version install it once; the others are told that it is there, or busy', async () => {
    const runner = await serveHttpRunner();
    const answers = await Promise.all(Array.from({ length: UPLOADS }, () => upload(runner.url, good)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
      expect(['409 already_installed', '503 lock_timeout']).toContain(`${status} ${body.code ?? ''}`);
    }
    expect(await deployedVersions(runner)).toEqual(['1.0.0']);
  });
});

const multipart = { 'content-type': 'multipart/form-data; boundary=BOUND' };
const partHead =
  '--BOUND\r\ncontent-disposition: form-data; name="file"; filename="a.zip"\r\ncontent-type: application/zip\r\n\r\n';

describe('an upload whose connection breaks in the middle leaves nothing', () => {
  test.each([
    ['install', 'raw'],
    ['install', 'multipart'],
    ['validate', 'raw'],
    ['validate', 'multipart'],
  ])('%s, %s', async (endpoint, form) => {
    const runner = await serveHttpRunner();
    const { 'content-type': type } = form === 'raw' ? ZIP : multipart;
    const socket = net.connect(runner.port, '127.0.0.1');
    socket.write(
      `POST /algorithms/${endpoint} HTTP/1.1\r\nhost: station\r\ncontent-type: ${type}\r\n` +
        `content-length: ${good.length * 2}\r\n\r\n${form === 'raw' ? '' : partHead}`,
    );
    socket.write(good.subarray(0, good.length / 2));
    // It is on its way to the disk.
    await expect.poll(() => staged(runner)).toHaveLength(1);
    socket.destroy();
    await expect.poll(() => staged(runner)).toEqual([]);
    expect(await readdir(runner.registry.layout.zips)).toEqual([]);
    expect(await runner.registry.list()).toEqual([]);
    // The server has not suffered.
    expect((await fetch(`${runner.url}/algorithms`)).status).toBe(200);
  });
});

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

describe.each(['install', 'validate'])(
  'an upload to %s that does not arrive is refused and leaves nothing',
  (endpoint) => {
    const text = (body: string) => ({ body, headers: multipart });
    const cases: [string, RequestInit & { duplex?: 'half' }, number, string][] = [
      [
        'cut off in the middle',
        { body: brokenBody(good.subarray(0, 1000)), duplex: 'half', headers: ZIP },
        400,
        'bad_request',
      ],
      ['larger than the server takes', { body: good, headers: ZIP }, 413, 'payload_too_large'],
      ['empty', { headers: ZIP }, 400, 'bad_request'],
      ['multipart without a file', { body: new FormData() }, 400, 'bad_request'],
      [
        'multipart without a boundary',
        { body: 'x', headers: { 'content-type': 'multipart/form-data' } },
        400,
        'bad_request',
      ],
      ['multipart with nothing in it', text(''), 400, 'bad_request'],
      ['multipart that ends in the head of its part', text(partHead.slice(0, 30)), 400, 'bad_request'],
      ['multipart that ends in its file', text(`${partHead}PK`), 400, 'bad_request'],
      [
        'multipart with a field alone',
        text('--BOUND\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--BOUND--\r\n'),
        400,
        'bad_request',
      ],
    ];
    test.each(cases)('%s', async (title, init, status, code) => {
      const { ask, registry } = await openHttpRunner(
        title.startsWith('larger') ? { maxUploadBytes: 1000 } : {},
      );
      const response = await ask('POST', `/algorithms/${endpoint}`, init);
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ status, code });
      expect(await registry.list()).toEqual([]);
      expect(await readdir(registry.layout.zips)).toEqual([]);
      expect(await staged({ registry })).toEqual([]);
    });
  },
);

describe('the size of an upload is bounded', () => {
  const limit = { maxUploadBytes: good.length - 1 };

  test('one that says how large it is, and is too large, is refused before it is read', async () => {
    const { ask } = await openHttpRunner(limit);
    let isRead = false;
    const body = new ReadableStream({ pull: () => void (isRead = true) }, { highWaterMark: 0 });
    const headers = { ...ZIP, 'content-length': String(10 ** 9) };
    const response = await ask('POST', '/algorithms/install', { body, headers, duplex: 'half' });
    expect(response.status).toBe(413);
    expect(isRead).toBe(false);
  });

  test('one that does not say is cut off at the limit, and its sender is told over the socket', async () => {
    const runner = await serveHttpRunner(limit);
    const answer = await upload(runner.url, good);
    expect(answer).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    await expect.poll(() => staged(runner)).toEqual([]);
  });

  test('one of exactly the limit is taken', async () => {
    const { ask } = await openHttpRunner({ maxUploadBytes: good.length });
    const response = await ask('POST', '/algorithms/validate', { body: good, headers: ZIP });
    expect(await response.json()).toMatchObject({ summary: { status: 'PASS' } });
  });
});

test('a client that closes the stream of events aborts the install, and nothing of it is left', async () => {
  const runner = await serveHttpRunner();
  const leave = new AbortController();
  const response = await fetch(`${runner.url}/algorithms/install`, {
    method: 'POST',
    headers: { ...ZIP, accept: 'text/event-stream' },
    body: good,
    signal: leave.signal,
  });
  const log = path.join(runner.registry.layout.logs, 'package_install.log');
  await response.body?.getReader().read();
  leave.abort();
  const logged = () => readFile(log, 'utf8').catch(() => '');
  await expect.poll(logged, { timeout: 30_000 }).toContain('"code":"aborted"');
  await expect.poll(() => staged(runner)).toEqual([]);
  expect(await runner.registry.list()).toEqual([]);
  expect(await readdir(runner.registry.layout.zips)).toEqual([]);
});

test('two installs side by side each tell their own progress', async () => {
  const runner = await serveHttpRunner();
  const streams = await Promise.all(
    ['1.0.0', '2.0.0'].map(async (version) => {
      const response = await fetch(`${runner.url}/algorithms/install`, {
        method: 'POST',
        headers: { ...ZIP, accept: 'text/event-stream' },
        body: Buffer.from(await buildPackage({ version })),
      });
      return eventsOf(await response.text());
    }),
  );
  for (const [index, events] of streams.entries()) {
    expect(events.at(-1)).toMatchObject({ name: 'installed', data: { version: `${index + 1}.0.0` } });
    const ids = events.slice(0, -1).map(({ data }) => data.id);
    expect(new Set(ids).size).toBe(1);
  }
  // Nobody listens any more.
  expect(runner.deployer.listenerCount('progress')).toBe(0);
});

test.each([
  ['with a length counts the upload by it', true],
  ['without a length does not know the whole', false],
])('the progress of an upload %s', async (_title, hasLength) => {
  const { ask } = await openHttpRunner();
  const zip = Buffer.from(await buildPackage());
  const pieces = Array.from({ length: 4 }, (_, n) =>
    zip.subarray(Math.floor((n * zip.length) / 4), Math.floor(((n + 1) * zip.length) / 4)),
  );
  const response = await ask('POST', '/algorithms/install', {
    headers: {
      ...{ ...ZIP, accept: 'text/event-stream' },
      ...(hasLength && { 'content-length': String(zip.length) }),
    },
    body: ReadableStream.from(pieces) as ReadableStream<Uint8Array>,
    duplex: 'half',
  });
  const progress = eventsOf(await response.text())
    .filter(({ name, data }) => name === 'progress' && data.stage === 'receive')
    .map(({ data }) => data as { doneBytes: number; totalBytes: number; fraction: number });
  const moving = progress.filter(({ fraction }) => fraction > 0);
  expect(moving.length > 0).toBe(hasLength);
  expect(moving.every(({ totalBytes }) => totalBytes === zip.length)).toBe(true);
  if (hasLength) expect(moving.at(-1)).toMatchObject({ doneBytes: zip.length, fraction: 0.1 });
});

test('multipart bodies of random pieces are refused or taken as a package, and the host lives on', async () => {
  const { ask } = await openHttpRunner({});
  const piece = fc.oneof(
    fc.constantFrom(
      '--BOUND',
      '--BOUND--',
      '\r\n',
      '\r\n\r\n',
      'content-disposition: form-data; name="file"',
    ),
    fc.constantFrom(
      '; filename="a.zip"',
      "; filename*=utf-8''a",
      'content-type: application/zip',
      'PK\x03\x04',
    ),
    fc.string({ maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const body = pieces.join('');
      const response = await ask('POST', '/algorithms/install', { body, headers: multipart });
      const problem = (await response.json()) as { code: string };
      expect(['400 bad_request', '422 invalid_zip']).toContain(`${response.status} ${problem.code}`);
    }),
    { numRuns: Number(process.env.HTTP_FUZZ_RUNS ?? 40) },
  );
});
