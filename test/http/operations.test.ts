import { readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openHttpRunner, type HttpRunner } from '../support/http-runner.js';
import { canLink, inJson } from '../support/platform.js';

type Json = Record<string, unknown>;

const PLACE = '/algorithms/sample/1.0.0';
const image = { data: new Uint8Array(12), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

async function station(options: Parameters<typeof openHttpRunner>[0] = {}): Promise<HttpRunner> {
  const runner = await openHttpRunner(options);
  await runner.deployer.install(await runner.deliver());
  return runner;
}

const bodyOf = async (response: Response) => (await response.json()) as Json;

describe('health', () => {
  test('is live and ready with reasons, and not ready where an active version does not run', async () => {
    const { ask, registry, supervisor, root } = await station();
    expect(await bodyOf(await ask('GET', '/health/live'))).toEqual({ live: true });
    expect((await ask('GET', '/health/ready')).status).toBe(200);
    await registry.activate({ ...target, productIds: ['A01'] });
    const not = await ask('GET', '/health/ready');
    expect(not.status).toBe(503);
    expect(not.headers.get('retry-after')).toBe('1');
    const body = await not.text();
    expect(body).not.toContain(inJson(root));
    expect(JSON.parse(body)).toMatchObject({
      ...{ live: true, ready: false },
      checks: [
        { name: 'store', ok: true },
        { name: 'sample 1.0.0', ok: false, message: 'serves A01: not started' },
      ],
    });
    await supervisor.startActive();
    const ready = await ask('GET', '/health');
    expect(ready.status).toBe(200);
    expect(await bodyOf(ready)).toMatchObject({ ready: true });
  });

  test('of a server without a supervisor is that of the store', async () => {
    const { ask } = await openHttpRunner({ supervisor: undefined });
    expect(await bodyOf(await ask('GET', '/health/ready'))).toMatchObject({
      ready: true,
      checks: [{ name: 'store' }],
    });
  });
});

describe('a version', () => {
  test('is started, shown, stopped and removed: nothing else is needed after a switch', async () => {
    const { ask, deployer, deliver, registry } = await station();
    await registry.activate({ ...target, productIds: ['A01'] });
    expect(await bodyOf(await ask('POST', `${PLACE}/start`, { json: { workers: 2 } }))).toMatchObject({
      ...{ name: 'sample', state: 'running' },
      workers: [{ worker: 0 }, { worker: 1 }],
    });
    await deployer.install(await deliver({ version: '2.0.0' }));
    const json = { name: 'sample', version: '2.0.0', pids: ['A01'] };
    expect((await ask('POST', '/algorithms/switch', { json })).status).toBe(200);
    expect((await ask('POST', `${PLACE}/stop`)).status).toBe(204);
    const status = (await (await ask('GET', '/status')).json()) as Json[];
    expect(status).toMatchObject([{ version: '2.0.0', productIds: ['A01'] }]);
    expect(JSON.stringify(status)).not.toContain('"pid"');
    const dry = await ask('DELETE', `${PLACE}?dryRun=true&alsoRollbackTargets=true`);
    expect(dry.status).toBe(204);
    expect(await registry.list()).toHaveLength(2);
    expect((await ask('DELETE', PLACE)).status).toBe(409); // a rollback would go back to it
    expect((await ask('DELETE', `${PLACE}?alsoRollbackTargets=true`)).status).toBe(204);
    expect(await registry.list()).toHaveLength(1);
  });

  test('is rolled back, by a supervisor and without one', async () => {
    const runner = await station();
    const { ask, deployer, deliver, registry } = runner;
    await deployer.install(await deliver({ version: '2.0.0' }));
    const bare = await openHttpRunner({ registry, deployer, supervisor: undefined });
    for (const { ask: send } of [runner, bare]) {
      await registry.switch({ ...target, productIds: ['A01'] });
      await registry.switch({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
      const back = await send('POST', '/algorithms/rollback', { json: { pid: 'A01', operator: 'eve' } });
      expect(await bodyOf(back)).toMatchObject({ pid: 'A01', version: '1.0.0', operator: 'eve' });
    }
    const to = await ask('POST', '/algorithms/rollback', {
      json: { pid: 'A01', to: { name: 'sample', version: '2.0.0' } },
    });
    expect(await bodyOf(to)).toMatchObject({ version: '2.0.0' });
    const refused = await bare.ask('POST', '/algorithms/rollback', { json: { pid: 'A01', to: target } });
    expect(await bodyOf(refused)).toMatchObject({ status: 400, details: { path: 'to' } });
    const none = await ask('POST', '/algorithms/rollback', { json: { pid: 'nobody' } });
    expect(none.status).toBe(404);
  });

  test('is verified, and what has drifted is named relative to the store', async () => {
    const { ask, registry, root } = await station();
    expect(await bodyOf(await ask('POST', `${PLACE}/verify`))).toMatchObject({ intact: true, drift: [] });
    await writeFile(path.join(registry.layout.deployed('sample', '1.0.0'), 'more.py'), 'x');
    const body = await (await ask('POST', `${PLACE}/verify`)).text();
    expect(JSON.parse(body)).toMatchObject({ intact: false, drift: [{ path: 'more.py', kind: 'added' }] });
    expect(body).not.toContain(inJson(root));
    expect((await ask('POST', '/algorithms/sample/9/verify')).status).toBe(404);
  });

  test('keeps a policy, whose environment is hidden, and is reset', async () => {
    const { ask, supervisor } = await station();
    const put = await ask('PUT', `${PLACE}/policy?operator=eve`, {
      json: { workers: 2, env: { TOKEN: 'secret' } },
    });
    expect(await put.text()).toBe('{"workers":2,"env":{"TOKEN":"***"}}');
    await ask('POST', `${PLACE}/start`);
    const status = await (await ask('GET', '/status')).text();
    expect(status).toContain('"TOKEN":"***"');
    expect(status).not.toContain('secret');
    const wrong = await ask('PUT', `${PLACE}/policy`, { json: { workers: 0 } });
    expect(await bodyOf(wrong)).toMatchObject({
      status: 400,
      code: 'invalid_params',
      details: { path: 'workers' },
    });
    expect((await ask('POST', `${PLACE}/reset`)).status).toBe(204);
    expect((await ask('POST', `${PLACE}/reset`, { json: { session: 's-1' } })).status).toBe(204);
    expect((await ask('POST', '/algorithms/sample/9/reset')).status).toBe(404);
    expect((await ask('POST', '/algorithms/sample/9/stop')).status).toBe(404);
    expect(supervisor.status()[0]?.workers).toHaveLength(2);
  });

  test('keeps parameters for a product id, which its calls get', async () => {
    const { ask, registry, supervisor } = await station();
    await registry.activate({ ...target, productIds: ['A01'] });
    const place = '/algorithms/active/A01/params';
    expect(await bodyOf(await ask('GET', place))).toEqual({});
    expect(await bodyOf(await ask('PUT', `${place}?operator=eve`, { json: { ng: true } }))).toEqual({
      ng: true,
    });
    expect(await bodyOf(await ask('GET', place))).toEqual({ ng: true });
    const { data } = await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    expect(data.result_status).toBe('NG');
    const list = await ask('PUT', place, { json: [] });
    expect(await bodyOf(list)).toMatchObject({ status: 400, details: { path: 'body' } });
    expect((await ask('PUT', '/algorithms/active/nobody/params', { json: {} })).status).toBe(404);
  });

  test('that serves a product id is found by it; where none does, that is said', async () => {
    const { ask, registry } = await station();
    await registry.activate({ ...target, productIds: ['A01'] });
    expect(await bodyOf(await ask('GET', '/algorithms/active/A01'))).toMatchObject({
      pid: 'A01',
      version: '1.0.0',
    });
    expect((await ask('GET', '/algorithms/active/__proto__')).status).toBe(404);
    const none = await bodyOf(await ask('GET', '/algorithms/active/unknown'));
    expect(none).toMatchObject({ status: 404, code: 'not_found' });
    expect(none.detail).toMatch(/^No version is active for unknown/);
  });
});

describe('the store', () => {
  test('is pruned and recovered, or only said what would go', async () => {
    const { ask, deployer, deliver, registry } = await station();
    for (const version of ['2.0.0', '3.0.0', '4.0.0']) await deployer.install(await deliver({ version }));
    const dry = await bodyOf(await ask('POST', '/algorithms/prune?dryRun=true&name=sample'));
    expect(dry).toMatchObject({ pruned: [{ version: '1.0.0' }] });
    expect(await registry.list()).toHaveLength(4);
    expect(await bodyOf(await ask('POST', '/algorithms/prune?operator=eve'))).toMatchObject({
      pruned: [{ version: '1.0.0' }],
    });
    expect(await registry.list()).toHaveLength(3);
    expect(await bodyOf(await ask('POST', '/algorithms/recover?dryRun=true'))).toMatchObject({
      recovered: [],
      skipped: [],
    });
    expect((await ask('POST', '/algorithms/recover')).status).toBe(200);
    const body = await ask('POST', '/algorithms/prune', { json: { dryRun: true } });
    expect(body.status).toBe(400);
  });

  test('lists what is in zips/, and removes it, its deployment apart', async () => {
    const { ask, registry, root } = await station();
    await writeFile(path.join(registry.layout.zips, 'no.zip'), 'no zip');
    const [file = ''] = (await readdir(registry.layout.zips)).filter((name) => name !== 'no.zip');
    const listed = await (await ask('GET', '/packages')).text();
    expect(listed).not.toContain(inJson(root));
    expect(JSON.parse(listed)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ file, name: 'sample', version: '1.0.0', state: 'deployed' }),
        expect.objectContaining({ file: 'no.zip' }),
      ]),
    );
    const dry = await ask('DELETE', `/packages/${file}?dryRun=true`);
    expect(await bodyOf(dry)).toMatchObject({ file, dryRun: true });
    expect(await readdir(registry.layout.zips)).toContain(file);
    expect((await ask('DELETE', `/packages/${file}?operator=eve`)).status).toBe(200);
    expect(await readdir(registry.layout.zips)).not.toContain(file);
    expect(await registry.list()).toHaveLength(1);
    // What the system refuses to look at is listed with that, and can be removed.
    const loop = path.join(registry.layout.zips, 'loop.zip');
    if (canLink()) {
      await symlink('loop.zip', loop);
      expect(await bodyOf(await ask('GET', '/packages'))).toContainEqual(
        expect.objectContaining({ file: 'loop.zip', settling: true, reason: expect.anything() as unknown }),
      );
    } else {
      await writeFile(loop, 'no zip');
    }
    expect((await ask('DELETE', '/packages/loop.zip?operator=eve')).status).toBe(200);
    for (const name of [file, 'loop.zip', 'registry.json', encodeURIComponent('../../registry.json'), '.']) {
      expect([400, 404]).toContain((await ask('DELETE', `/packages/${name}`)).status);
    }
    const log = (await (await ask('GET', '/logs')).json()) as Json[];
    expect(log.slice(-2)).toMatchObject(
      [file, 'loop.zip'].map((zip) => ({ operation: 'remove', zip, operator: 'eve', outcome: 'ok' })),
    );
  });
});

test('the last lines of a version’s workers are read by its name, and those of the audit log without', async () => {
  const { ask, supervisor } = await station();
  await supervisor.execute({ target, stepIndex: 1, image, userParams: { raise: 'no light' } });
  const lines = async (query: string) => (await (await ask('GET', `/logs${query}`)).json()) as Json[];
  await expect.poll(() => lines('?name=sample&version=1.0.0')).not.toEqual([]);
  const all = await lines('?name=sample');
  expect(await lines('?name=sample&lines=1')).toEqual(all.slice(-1));
  expect(all[0]).toHaveProperty('message');
  expect((await lines('')).map(({ operation }) => operation)).toContain('install');
  expect((await ask('GET', '/logs?name=sample&version=9')).status).toBe(404);
  expect((await ask('GET', '/logs?name=..')).status).toBe(404);
  expect(await lines('?version=1.0.0')).toEqual(all);
  expect(await bodyOf(await ask('GET', '/logs?lines=0'))).toMatchObject({
    status: 400,
    details: { path: 'lines' },
  });
});

describe('events', () => {
  /** Reads a stream of events until the test ends; `until` waits for one. */
  async function listen({ ask }: HttpRunner, query = '', headers: Record<string, string> = {}) {
    const gone = new AbortController();
    onTestFinished(() => gone.abort());
    const response = await ask('GET', `/events${query}`, { headers, signal: gone.signal });
    expect(response.status).toBe(200);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const seen = () =>
      [...text.matchAll(/^(?:id: (\S+)\n)?event: (\S+)\ndata: (.*)\n\n/gm)].map(
        ([, id, name = '', data = '']) => ({
          ...{ id, name },
          data: JSON.parse(data) as Json,
        }),
      );
    const until = async (name: string) => {
      for (;;) {
        const found = seen().find((event) => event.name === name);
        if (found) return found;
        const { value } = (await reader?.read()) ?? {};
        if (value === undefined) throw new Error(`no ${name} came: ${text}`);
        text += value;
      }
    };
    return { until, seen, leave: () => gone.abort() };
  }

  test('of all emitters come by name, with paths relative to the store, and after Last-Event-ID those that were missed', async () => {
    const runner = await openHttpRunner();
    const { deployer, deliver, registry, supervisor } = runner;
    const first = await listen(runner);
    await deployer.install(await deliver());
    const installed = await first.until('installed');
    expect(installed.data).toMatchObject({ emitter: 'deployer', entry: { name: 'sample' } });
    await registry.activate({ ...target, productIds: ['A01'] });
    expect((await first.until('activated')).data).toMatchObject({
      emitter: 'registry',
      mappings: [{ pid: 'A01' }],
    });
    first.leave();
    await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
    const second = await listen(runner, '', { 'last-event-id': installed.id ?? '' });
    const result = await second.until('result');
    expect(result.data).toMatchObject({ emitter: 'supervisor', productId: 'A01', result: { status: 'OK' } });
    expect(second.seen().map(({ name }) => name)).toEqual(
      expect.arrayContaining(['activated', 'state', 'ready']),
    );
    expect(second.seen().map(({ name }) => name)).not.toContain('installed');
    expect(JSON.stringify([...first.seen(), ...second.seen()])).not.toContain(inJson(runner.root));
  });

  test('can be chosen, and an id that is not known any more is told by `missed`', async () => {
    const runner = await openHttpRunner();
    const stream = await listen(runner, '?names=registered,uninstalled', { 'last-event-id': 'other-7' });
    expect((await stream.until('missed')).data).toEqual({ after: 'other-7' });
    await runner.deployer.install(await runner.deliver());
    await runner.deployer.uninstall('sample', '1.0.0');
    await stream.until('uninstalled');
    expect(new Set(stream.seen().map(({ name }) => name))).toEqual(
      new Set(['missed', 'registered', 'uninstalled']),
    );
    const unknown = await runner.ask('GET', '/events?names=nothing');
    expect(await bodyOf(unknown)).toMatchObject({ status: 400, details: { path: 'names' } });
  });
});

test('without a supervisor all that is about workers is 501', async () => {
  const { registry, deployer } = await station();
  const { ask } = await openHttpRunner({ registry, deployer, supervisor: undefined });
  for (const [method, place] of [
    ['GET', '/status'],
    ['POST', `${PLACE}/start`],
    ['POST', `${PLACE}/stop`],
    ['POST', `${PLACE}/reset`],
    ['PUT', `${PLACE}/policy`],
  ] as const) {
    const response = await ask(method, place, method === 'PUT' ? { json: {} } : {});
    expect(await bodyOf(response)).toMatchObject({ status: 501, code: 'not_served' });
  }
});
