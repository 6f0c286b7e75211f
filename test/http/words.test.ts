import { describe, expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { eventsOf, openHttpRunner, ZIP } from '../support/http-runner.js';

interface Problem {
  detail: string;
  details?: { path?: string };
}

const pids = ['A01'];
const image = { data: 'AAAA', width: 1, height: 1 };

describe('a refusal says what would be taken', () => {
  test('the type of a body: packages too, where they are taken, and the type that came', async () => {
    const { ask } = await openHttpRunner();
    const send = async (
      target: string,
      headers: Record<string, string> = { 'content-type': 'text/plain' },
    ) => {
      const answer = await ask('POST', target, { body: new TextEncoder().encode('x'), headers });
      return ((await answer.json()) as Problem).detail;
    };
    expect(await send('/algorithms/activate')).toBe(
      'This endpoint takes a body of application/json; not text/plain',
    );
    for (const target of ['/algorithms/install', '/algorithms/validate']) {
      expect(await send(target)).toMatch(
        /application\/json, or a package as application\/zip, .*multipart\/form-data; not/,
      );
    }
    expect(await send('/algorithms/install', {})).toMatch(/the request has no content-type$/);
  });

  test.each([
    [
      'install',
      { path: 'x.zip', forced: true },
      'forced: is not known here: what is taken is path, force, operator, nameEncoding',
    ],
    ['install', {}, 'path: is missing'],
    ['install', null, 'body: must be an object'],
    ['install', { path: 7 }, 'path: must be a text'],
    ['activate', { name: 'a', version: '1', pids, force: 'yes' }, 'force: must be true or false'],
    ['activate', { name: 'a', version: '1', pids: 'A01' }, 'pids: must be a list of product ids'],
    ['deactivate', { pids: [] }, 'pids: must have at least one product id'],
    ['switch', { name: 'a', version: '1', pids, probation: [] }, 'probation: must be an object'],
    [
      'switch',
      { name: 'a', version: '1', pids, probation: { calls: 0 } },
      /^probation\.calls: must be a whole number from 1/,
    ],
    ['switch', { name: 'a', version: '1', pids, share: 0 }, 'share: must be a number from 0.001 to 1'],
    ['switch', { name: 'a', version: '1', pids, share: 0.1, steps: 0.5 }, 'steps: must be a list of shares'],
    [
      'switch',
      { name: 'a', version: '1', pids, probation: { test: { alpha: 0 } } },
      /^probation\.test\.alpha: must be a number from 1e-9 to 0.5/,
    ],
    [
      'switch',
      { name: 'a', version: '1', pids, probation: { test: { rate: 0.1 } } },
      /^probation\.test\.rate: is not known here: what is taken is acceptableRate, rejectableRate, alpha, beta/,
    ],
    [
      'switch',
      { name: 'a', version: '1', pids, warmUp: { image: { width: 1 } } },
      /^warmUp\.image: must have encoded/,
    ],
    ['validate', { path: 'x.zip', name: 'a' }, /^body: must have path, .* or name and version/],
  ])('a body of %s that is %j', async (action, json, detail) => {
    const { ask } = await openHttpRunner();
    const answer = await ask('POST', `/algorithms/${action}`, { json });
    expect(answer.status).toBe(400);
    const text = ((await answer.json()) as Problem).detail;
    if (typeof detail === 'string') expect(text).toBe(detail);
    else expect(text).toMatch(detail);
    expect(text).not.toMatch(/Expected|Invalid/);
  });

  test('a state that is none, a path that is none, a version that is not there', async () => {
    const { ask } = await openHttpRunner({ basePath: '/api' });
    const detail = async (target: string) => ((await (await ask('GET', target)).json()) as Problem).detail;
    expect(await detail('/api/algorithms?state=on')).toMatch(/^state: must be one of discovered, .*invalid$/);
    expect(await detail('/api/nowhere')).toBe(
      'There is nothing at /api/nowhere: GET /api/openapi.json tells what there is',
    );
    expect(await detail('/api/algorithms/a/1')).toBe('a 1 is not deployed: install it first');
  });
});

describe('a fault of an upload names the file as it was sent', () => {
  const form = () => {
    const body = new FormData();
    body.set('file', new Blob(['no zip']), 'board-check.zip');
    return body;
  };

  test.each([
    ['by its file name', () => ({ body: form() }), 'board-check.zip'],
    ['as the upload, where nothing tells one', () => ({ body: 'no zip', headers: ZIP }), 'the upload'],
  ])('%s', async (_title, init, name) => {
    const { ask } = await openHttpRunner();
    const refused = (await (await ask('POST', '/algorithms/install', init())).json()) as Problem;
    expect(refused.detail).toMatch(new RegExp(`^${name}(: | )`));
    expect(refused.details?.path).toBe(name);
    const validated = await (await ask('POST', '/algorithms/validate', init())).text();
    for (const text of [JSON.stringify(refused), validated]) {
      expect(text).toContain(name);
      expect(text).not.toContain('.staging');
    }
  });
});

test('progress is told in fractions of no more than six digits', async () => {
  const { ask } = await openHttpRunner();
  const answer = await ask('POST', '/algorithms/install', {
    body: Buffer.from(await buildPackage()),
    headers: { ...ZIP, accept: 'text/event-stream' },
  });
  const fractions = eventsOf(await answer.text()).flatMap(({ name, data }) =>
    name === 'progress' ? [String(data.fraction)] : [],
  );
  expect(fractions.at(-1)).toBe('1');
  expect(fractions.filter((fraction) => fraction.length > 8)).toEqual([]);
});

test('a switch over HTTP has its warm-up answered first, and its trial', async () => {
  const { ask, deployer, deliver, supervisor, registry } = await openHttpRunner();
  await deployer.install(await deliver());
  await deployer.install(await deliver({ version: '2.0.0' }));
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: pids });
  const json = { name: 'sample', version: '2.0.0', pids, warmUp: { image }, probation: { calls: 5 } };
  expect((await ask('POST', '/algorithms/switch', { json })).status).toBe(200);
  expect(supervisor.status().find(({ version }) => version === '2.0.0')?.latency.count).toBe(1);
  // The one before stays warm while the other is on trial.
  await expect.poll(() => supervisor.status()).toHaveLength(2);
  const bare = await openHttpRunner({ registry, deployer, supervisor: undefined });
  const refused = await bare.ask('POST', '/algorithms/switch', { json });
  expect(refused.status).toBe(400);
  expect(((await refused.json()) as Problem).detail).toMatch(/^probation: .*no supervisor/);
  const gone = await ask('POST', '/algorithms/deactivate', { json: { pids } });
  expect(gone.status).toBe(204);
  expect(await registry.active()).toEqual({});
  const again = await ask('POST', '/algorithms/deactivate', { json: { pids } });
  expect(again.status).toBe(404);
});
