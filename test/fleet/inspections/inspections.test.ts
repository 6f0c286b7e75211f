import { Svcm } from '@nats-io/services';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type InspectorOptions,
  openInspector,
  type ServeInspectionsOptions,
  serveInspections,
} from '../../../src/fleet/index.js';
import { digestOf } from '../../../src/fleet/inspections/fetch-picture.js';
import { loadNats } from '../../../src/fleet/nats/peers.js';
import { openRunner } from '../../../src/index.js';
import { deployVersion } from '../../../src/testing/deploy-version.js';
import { sampleAlgorithm } from '../../../src/testing/index.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const skip = (await natsServer()) === undefined;
const title = skip ? `remote inspections (skipped: ${NO_SERVER})` : 'remote inspections';
const { transport } = loadNats('test');
const ID = '板 7.2';
const SUBJECT = 'inspect.Werk=201.=E6=9D=BF=207=2E2';
const HOST = '127.0.0.1';

/** A PNG of one value; a large one is not compressed. */
function picture(value: number, { side = 16, deflateLevel = 9 } = {}): Uint8Array {
  const png = new PNG({ width: side, height: side });
  png.data = Buffer.alloc(side * side * 3, value);
  return PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false, deflateLevel });
}

/** A station with a real worker that serves the product id. */
async function station(server: TestServer, name: string, o: Partial<ServeInspectionsOptions> = {}) {
  const runner = await openRunner(await temporaryFolder(), { registry: { durability: 'none' } });
  onTestFinished(() => runner.close());
  const source = sampleAlgorithm({ generation: 'phased', name: 'board', version: '1.0.0', productIds: [ID] });
  await deployVersion(runner.registry, { name: 'board', productIds: [ID], source });
  await runner.registry.activate({ name: 'board', version: '1.0.0', productIds: [ID] });
  const connection = await server.connect({ name });
  const service = await serveInspections(connection, { plant: 'Werk 1', station: name, runner, ...o });
  onTestFinished(() => service.close());
  return { runner, service, connection };
}

async function inspector(server: TestServer, o: Partial<InspectorOptions> = {}) {
  const connection = await server.connect({ name: 'desk' });
  const opened = await openInspector(connection, { plant: 'Werk 1', ...o });
  onTestFinished(() => opened.close());
  return { connection, inspect: opened.inspect.bind(opened) };
}

describe.skipIf(skip)(title, () => {
  test('a picture is inspected by the station that serves its product id, with its parameters', async () => {
    const server = await TestServer.start();
    const { service } = await station(server, 'S 1');
    expect(service.productIds).toEqual([ID]);
    const { inspect } = await inspector(server);
    // The first call starts the worker.
    const userParams = { ng: true, note: '划痕\n' };
    const answer = await inspect(ID, picture(90), { userParams, timeoutMs: 60_000 });
    expect(answer).toMatchObject({
      station: 'S 1',
      result: { status: 'OK', data: { result_status: 'NG', debug: { mean: 90 } } },
    });
  });

  test('the trace of the caller goes to the supervisor', async () => {
    const server = await TestServer.start();
    const { runner } = await station(server, 'S 1');
    const seen: unknown[] = [];
    void runner.supervisor.observe({
      start: ({ request }) => {
        seen.push(request?.traceparent);
        return undefined;
      },
      offer: () => undefined,
      close: () => Promise.resolve(),
    });
    const { inspect } = await inspector(server);
    const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
    await inspect(ID, picture(1), { traceparent });
    expect(seen).toContain(traceparent);
  });

  test('where nobody serves the product id the error comes at once, not at the deadline', async () => {
    const server = await TestServer.start();
    const { inspect } = await inspector(server);
    await expect(inspect('nobody', picture(1), { timeoutMs: 600_000 })).rejects.toMatchObject({
      code: 'no_responders',
      details: { productIds: ['nobody'] },
    });
  });

  test('an error of the station comes with its own code, and without paths of the station', async () => {
    const server = await TestServer.start();
    const { runner } = await station(server, 'S 1');
    const { inspect } = await inspector(server);
    const broken = Buffer.from('this is no picture at all');
    await expect(inspect(ID, broken)).rejects.toMatchObject({ code: 'invalid_image' });
    const absent = { name: 'board', version: '9' };
    await expect(inspect(ID, picture(1), { target: absent })).rejects.toMatchObject({
      code: 'not_found',
      message: 'Station S 1: board 9 is not deployed',
    });
    const raised = inspect(ID, picture(1), { userParams: { raise: 'no' } });
    const told: unknown = await raised.catch((error: unknown) => error);
    expect(JSON.stringify(told)).not.toContain(runner.registry.layout.root);
  });

  test('a stuck member costs the deadline and nothing else', async () => {
    const server = await TestServer.start();
    const { inspect, connection } = await inspector(server);
    const stuck = await transport.connect({ servers: server.url });
    onTestFinished(() => stuck.close());
    stuck.subscribe(SUBJECT, { queue: 'inspect' });
    await stuck.flush();
    await expect(inspect(ID, picture(1), { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'timeout',
      details: { timeoutMs: 200 },
    });
    expect(connection.isConnected).toBe(true);
  });

  test('an inspection that takes longer than the deadline is a timeout of the station', async () => {
    const server = await TestServer.start();
    await station(server, 'S 1');
    const { inspect } = await inspector(server);
    await inspect(ID, picture(1)); // the worker is up
    const slow = inspect(ID, picture(1), { userParams: { sleep_ms: 5_000 }, timeoutMs: 300 });
    await expect(slow).rejects.toMatchObject({ code: 'timeout' });
  });

  test('of two stations each gets calls, each call is answered once, and a station that closes answers what it has', async () => {
    const server = await TestServer.start();
    const first = await station(server, 'S 1');
    const second = await station(server, 'S 2');
    const { inspect } = await inspector(server);
    const stations = new Set<string>();
    await vi.waitFor(async () => {
      stations.add((await inspect(ID, picture(1))).station);
      expect(stations.size).toBe(2);
    }, 30_000);
    const slow = Array.from({ length: 6 }, () => inspect(ID, picture(7), { userParams: { sleep_ms: 300 } }));
    await first.service.close();
    const answers = await Promise.all(slow);
    expect(answers).toHaveLength(6);
    // From now on the other one alone is asked.
    for (let i = 0; i < 5; i++) expect((await inspect(ID, picture(1))).station).toBe('S 2');
    await second.service.close();
    await expect(inspect(ID, picture(1))).rejects.toMatchObject({ code: 'no_responders' });
  });

  test('a look at what is served that a later look has overtaken takes no product id away', async () => {
    const server = await TestServer.start();
    const { runner, service } = await station(server, 'S 1');
    const active = runner.registry.active.bind(runner.registry);
    let letCome: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (letCome = resolve));
    await runner.registry.deactivate({ productIds: [ID] });
    vi.spyOn(runner.registry, 'active').mockImplementationOnce(async (...o) => {
      const found = await active(...o);
      await late;
      return found;
    });
    const before = service.refresh();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await runner.registry.activate({ name: 'board', version: '1.0.0', productIds: [ID] });
    await service.refresh();
    letCome();
    await before;
    expect(service.productIds).toEqual([ID]);
  });

  test('a product id that a station begins or ceases to serve is answered, or is not, from then on', async () => {
    const server = await TestServer.start();
    const { runner, service } = await station(server, 'S 1');
    const { inspect } = await inspector(server);
    await runner.registry.deactivate({ productIds: [ID] });
    await service.refresh();
    await vi.waitFor(
      () => expect(inspect(ID, picture(1))).rejects.toMatchObject({ code: 'no_responders' }),
      20_000,
    );
    await runner.registry.activate({ name: 'board', version: '1.0.0', productIds: [ID] });
    await service.refresh();
    await vi.waitFor(
      () => expect(inspect(ID, picture(1))).resolves.toMatchObject({ station: 'S 1' }),
      20_000,
    );
  });

  test('a picture above the limit of a message is fetched from the inspector, and offered no longer than its call', async () => {
    const server = await TestServer.start();
    await station(server, 'S 1');
    const large = picture(0, { side: 800, deflateLevel: 0 });
    expect(large.length).toBeGreaterThan(2 ** 20);
    const without = await inspector(server);
    await expect(without.inspect(ID, large)).rejects.toMatchObject({ details: { path: 'offer' } });
    const { inspect } = await inspector(server, { offer: { host: HOST } });
    const { result } = await inspect(ID, large);
    expect(result.data).toMatchObject({ debug: { size: 800 * 800 * 3 } });
  });

  test('a picture at an address must be the one that was named, of a host that is allowed', async () => {
    const server = await TestServer.start();
    await station(server, 'S 1', { pictureHosts: [HOST], maxPictureBytes: 100_000 });
    const { inspect } = await inspector(server);
    const right = picture(40);
    const http = createServer(({ url }, response) => {
      if (url === '/moved') response.writeHead(302, { location: '/right' });
      response.end(url === '/long' ? Buffer.concat([right, right]) : right);
    });
    http.listen(0, HOST);
    await once(http, 'listening');
    onTestFinished(() => void http.close());
    const base = `http://${HOST}:${(http.address() as AddressInfo).port}`;
    const at = (path: string) => ({ url: base + path, digest: digestOf(right), sizeBytes: right.length });
    expect((await inspect(ID, at('/right'))).result.data).toMatchObject({ debug: { mean: 40 } });
    const wrong = { ...at('/right'), digest: digestOf(picture(41)) };
    await expect(inspect(ID, wrong)).rejects.toMatchObject({ code: 'invalid_image' });
    await expect(inspect(ID, at('/long'))).rejects.toMatchObject({ code: 'invalid_image' });
    await expect(inspect(ID, at('/moved'))).rejects.toMatchObject({ code: 'unreachable' });
    const foreign = { ...at('/right'), url: base.replace(HOST, 'localhost') };
    await expect(inspect(ID, foreign)).rejects.toMatchObject({ details: { path: 'picture.url' } });
    const file = { ...at('/right'), url: 'file:///etc/passwd' };
    await expect(inspect(ID, file)).rejects.toMatchObject({ details: { path: 'picture.url' } });
    const large = { ...at('/right'), sizeBytes: 100_001 };
    await expect(inspect(ID, large)).rejects.toMatchObject({ details: { path: 'picture.size' } });
  });

  test('what is no call is answered with why, and nothing is answered to a key of the bucket', async () => {
    const server = await TestServer.start();
    const { connection } = await station(server, 'S 1');
    await connection.create();
    const nc = await transport.connect({ servers: server.url });
    onTestFinished(() => nc.close());
    const answer = await nc.request(SUBJECT, 'no call', { timeout: 5_000 });
    expect(answer.json()).toMatchObject({ error: { code: 'invalid_params' } });
    expect(answer.headers?.get('Nats-Service-Error')).toBe('invalid_params');
    nc.publish(SUBJECT, 'no call', { reply: '$KV.fleet.desired.A' });
    await nc.request(SUBJECT, 'no call', { timeout: 5_000 });
    expect(await connection.values.put('desired.A', 1, { revision: 0 })).toBe(1);
  });

  test('the client of micro services finds the service, its product ids and its figures', async () => {
    const server = await TestServer.start();
    const { inspect } = await inspector(server);
    await station(server, 'S 1');
    await inspect(ID, picture(1));
    const nc = await transport.connect({ servers: server.url });
    onTestFinished(() => nc.close());
    const client = new Svcm(nc as never).client({ strategy: 'stall' as never, maxWait: 2_000 });
    const pings = [];
    for await (const ping of await client.ping('inspect')) pings.push(ping);
    expect(pings).toMatchObject([{ name: 'inspect', metadata: { station: 'S 1', plant: 'Werk 1' } }]);
    const stats = [];
    for await (const stat of await client.stats('inspect', pings[0]?.id)) stats.push(stat);
    expect(stats[0]?.endpoints).toMatchObject([{ subject: SUBJECT, num_requests: 1, num_errors: 0 }]);
  });

  test('after a server that was killed is back, the station answers again', async () => {
    const server = await TestServer.start();
    await station(server, 'S 1');
    const { inspect, connection } = await inspector(server);
    await inspect(ID, picture(1));
    await server.stop('SIGKILL');
    await vi.waitFor(() => {
      expect(connection.isConnected).toBe(false);
    });
    await expect(inspect(ID, picture(1))).rejects.toMatchObject({ code: 'unreachable' });
    await server.restart();
    await vi.waitFor(
      () => expect(inspect(ID, picture(1))).resolves.toMatchObject({ station: 'S 1' }),
      20_000,
    );
  });
});
