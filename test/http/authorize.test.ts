import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { toNodeListener, type RunnerHandlerOptions } from '../../src/http/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { openHttpRunner, ZIP, type HttpRunner } from '../support/http-runner.js';
import { inJson } from '../support/platform.js';

/** What Node itself reads of a connection before it is stopped: two reads of 64 KiB, and the head. */
const AHEAD_OF_NODE = 192 * 1024;

type Answer = Awaited<ReturnType<NonNullable<RunnerHandlerOptions['authorize']>>>;

test.each<[Answer, number, string | null]>([
  [{ allowed: false }, 403, null],
  [{ allowed: false, status: 403, challenge: 'Bearer' }, 403, null],
  [{ allowed: false, status: 401 }, 401, 'Bearer'],
  [{ allowed: false, status: 401, challenge: 'Basic realm="station"' }, 401, 'Basic realm="station"'],
  [{ allowed: false, challenge: 'Bearer realm="station"' }, 401, 'Bearer realm="station"'],
  [{} as Answer, 403, null],
  [{ allowed: 'yes' } as unknown as Answer, 403, null],
  [undefined as unknown as Answer, 403, null],
  [{ allowed: true }, 200, null],
  [true, 200, null],
])('authorize that answers %j is %i with WWW-Authenticate %s', async (answer, status, challenge) => {
  const { ask } = await openHttpRunner({ authorize: () => Promise.resolve(answer) });
  const response = await ask('GET', '/algorithms');
  expect(response.status).toBe(status);
  expect(response.headers.get('www-authenticate')).toBe(challenge);
});

test('nothing of a body is read before authorize has answered, and a refused one leaves the connection to the next request', async () => {
  let ask: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (ask = resolve));
  let refuse: () => void = () => undefined;
  const refused = new Promise<void>((resolve) => (refuse = resolve));
  const runner = await openHttpRunner({
    authorize: async ({ method }) => {
      if (method === 'GET') return true;
      ask();
      await refused;
      return false;
    },
  });
  const server = http.createServer(toNodeListener(runner.handler));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  const connected = once(server, 'connection') as Promise<[net.Socket]>;
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const client = net.connect(port, '127.0.0.1').setEncoding('latin1');
  let said = '';
  client.on('data', (text: string) => (said += text));
  const length = 1024 ** 2;
  client.write(`POST /algorithms/install HTTP/1.1\r\nhost: a\r\ncontent-type: application/zip\r\n`);
  client.write(`content-length: ${length}\r\n\r\n`);
  client.write(Buffer.alloc(length));
  const [socket] = await connected;
  await asked;
  // In the time of these the server could read all of it.
  for (let n = 0; n < 20; n++) expect((await fetch(`http://127.0.0.1:${port}/algorithms`)).status).toBe(200);
  expect(socket.bytesRead).toBeLessThan(AHEAD_OF_NODE);
  refuse();
  await expect.poll(() => said).toContain('HTTP/1.1 403');
  client.write('GET /algorithms HTTP/1.1\r\nhost: a\r\n\r\n');
  await expect.poll(() => said).toContain('HTTP/1.1 200');
  client.destroy();
});

async function auditOf({ registry }: HttpRunner): Promise<(string | undefined)[]> {
  const files = ['package_install.log', 'package_switch.log'];
  const contents = await Promise.all(
    files.map((file) => readFile(path.join(registry.layout.logs, file), 'utf8').catch(() => '')),
  );
  return contents.flatMap((text) =>
    text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { operator?: string }).operator])),
  );
}

test('who authorize says the caller is stands in registry and audit log, whatever the request says', async () => {
  const runner = await openHttpRunner({ authorize: () => ({ allowed: true, operator: 'eve' }) });
  const { ask } = runner;
  const zip = Buffer.from(await buildPackage());
  const installed = await ask('POST', '/algorithms/install?operator=mallory', { body: zip, headers: ZIP });
  expect(await installed.json()).toMatchObject({ operator: 'eve' });
  const json = { name: 'sample', version: '1.0.0', pids: ['A01'], operator: 'mallory' };
  for (const action of ['activate', 'switch'] as const) {
    expect(await (await ask('POST', `/algorithms/${action}`, { json })).json()).toMatchObject([
      { operator: 'eve' },
    ]);
  }
  await ask('POST', '/algorithms/deactivate', { json: { pids: ['A01'], operator: 'mallory' } });
  await ask('DELETE', '/algorithms/sample/1.0.0?operator=mallory&force=true');
  const operators = await auditOf(runner);
  expect(operators.length).toBeGreaterThanOrEqual(2);
  expect(new Set(operators)).toEqual(new Set(['eve']));
});

test('a problem document, a report and events name paths relative to the store', async () => {
  const { ask, registry, root, deployer, deliver } = await openHttpRunner();
  const bad = (await deliver({ version: '3.0.0' })).replace('3.0.0', '9.9.9');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(bad, 'no zip');
  await deployer.install(await deliver());
  const file = path.basename(bad);
  const bodies = await Promise.all(
    [
      ask('POST', '/algorithms/install', { json: { path: file } }),
      ask('POST', '/algorithms/install', {
        json: { path: file },
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ path: file }),
      }),
      ask('POST', '/algorithms/validate', { json: { path: file } }),
      ask('POST', '/algorithms/validate', { json: { name: 'sample', version: '1.0.0' } }),
    ].map(async (asked) => (await asked).text()),
  );
  for (const text of bodies) expect(text).not.toContain(inJson(path.dirname(root)));
  expect(bodies[0]).toContain(inJson(path.relative(registry.layout.root, bad)));
  expect(bodies[3]).not.toMatch(/"[^"]*(?:\/(?:usr|root|home)\/|[A-Za-z]:\\\\)/);
});

test('onError is given the failure whole, and what it throws changes no answer', async () => {
  const seen: unknown[] = [];
  const { ask, root } = await openHttpRunner({
    onError: (error, { url }) => {
      seen.push([(error as Error).message, new URL(url).pathname]);
      throw new Error('observer');
    },
  });
  const response = await ask('POST', '/algorithms/install', { body: 'no zip', headers: ZIP });
  expect(response.status).toBe(422);
  expect(seen).toEqual([[expect.stringContaining('zip'), '/algorithms/install']]);
  expect(root).not.toBe('');
});
