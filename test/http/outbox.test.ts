import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { deliver, Outbox } from '../../src/outbox/index.js';
import type { RunnerHandlerOptions } from '../../src/http/index.js';
import { resultOf } from '../outbox/support.js';
import { openHttpRunner } from '../support/http-runner.js';
import { OpenApiContract } from '../support/openapi-contract.js';
import { Platform, type PlatformOptions } from '../support/outbox/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function served(o: PlatformOptions = {}, options: Partial<RunnerHandlerOptions> = {}) {
  const platform = await Platform.start(o);
  const outbox = await Outbox.open(await temporaryFolder(), { station: 'ws-1' });
  const delivery = await deliver(outbox, {
    http: { url: platform.url },
    leastBackoffMs: 1,
    mostBackoffMs: 5,
  });
  onTestFinished(async () => {
    await delivery.close();
    await outbox.close();
    await platform.close();
  });
  const runner = await openHttpRunner({ delivery, ...options });
  const contract = new OpenApiContract(await (await runner.ask('GET', '/openapi.json')).json());
  /** Each answer is held against the document. */
  const ask: typeof runner.ask = async (method, target, init) => {
    const response = await runner.ask(method, target, init);
    const endpoint = contract.endpoints.find((one) => one.method === method && one.path === target);
    if (endpoint) await contract.expectDeclared(endpoint, response.clone());
    return response;
  };
  return { ask, platform, outbox, logs: runner.registry.layout.logs };
}

const record = (outbox: Outbox) => outbox.record(resultOf('NG'), { productId: 'A01', stepIndex: 1 });

test('the outbox is paused, looked at, resumed and retried', async () => {
  const { ask, outbox, platform } = await served();
  expect(await (await ask('POST', '/outbox/pause')).json()).toMatchObject({ delivery: { state: 'paused' } });
  await record(outbox);
  const report = (await (await ask('GET', '/outbox')).json()) as object;
  expect(report).toMatchObject({
    outbox: { station: 'ws-1', due: { business: { records: 1 } } },
    delivery: { state: 'paused', to: platform.url },
    aside: [],
  });
  expect(platform.records.size).toBe(0);
  await ask('POST', '/outbox/resume');
  await expect.poll(() => platform.records.size).toBe(1);
  const retried = await ask('POST', '/outbox/retry', { json: { aside: true } });
  expect(await retried.json()).toMatchObject({ delivery: { state: 'running', network: 'up' } });
});

test('what was refused is in the answer with its reason', async () => {
  const { ask, outbox } = await served({ isPoison: () => true });
  const { ingestId } = await record(outbox);
  await expect.poll(async () => (await outbox.status()).aside).toBe(1);
  expect(await (await ask('GET', '/outbox')).json()).toMatchObject({
    aside: [{ ingestId, kind: 'verdict', reason: expect.stringContaining('422') as string }],
  });
});

test('an export writes to a folder of the station; a path that is not absolute is refused', async () => {
  const { ask, outbox } = await served();
  await ask('POST', '/outbox/pause');
  await record(outbox);
  const folder = path.join(await temporaryFolder(), 'stick');
  const answer = await ask('POST', '/outbox/export', { json: { folder } });
  expect(await answer.json()).toEqual({ folder, records: 1, pictures: 0, missing: 0 });
  expect(await readdir(folder)).toEqual(['records']);
  expect((await ask('POST', '/outbox/export', { json: { folder: 'stick' } })).status).toBe(400);
});

test('who paused, resumed, retried and exported it is in the audit log, with how it went', async () => {
  const authorize = () => ({ allowed: true, operator: 'eve' });
  const { ask, outbox, logs } = await served({}, { authorize });
  await ask('POST', '/outbox/pause');
  await ask('POST', '/outbox/retry', { json: { aside: true } });
  const folder = path.join(await temporaryFolder(), 'stick');
  await ask('POST', '/outbox/export', { json: { folder } });
  await ask('POST', '/outbox/export', { json: { folder: outbox.folder } });
  await ask('POST', '/outbox/resume');
  const lines = (await readFile(path.join(logs, 'outbox.log'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { operation: 'outbox_pause', operator: 'eve', outcome: 'ok' },
    { operation: 'outbox_retry', operator: 'eve', aside: true, outcome: 'ok' },
    { operation: 'outbox_export', operator: 'eve', folder, outcome: 'ok' },
    { operation: 'outbox_export', operator: 'eve', outcome: 'failed', code: 'invalid_params' },
    { operation: 'outbox_resume', operator: 'eve', outcome: 'ok' },
  ]);
});

test('its depth and failures are among the metrics', async () => {
  const { ask, outbox } = await served();
  await ask('POST', '/outbox/pause');
  await record(outbox);
  const text = await (await ask('GET', '/metrics')).text();
  expect(text).toContain('procvision_outbox_due{priority="business"} 1');
  expect(text).toContain('procvision_outbox_paused 1');
  expect(text).toContain('procvision_outbox_failures_total 0');
});

test('without a delivery it is 501', async () => {
  const { ask } = await openHttpRunner();
  for (const [method, target] of [
    ['GET', '/outbox'],
    ['POST', '/outbox/pause'],
  ] as const) {
    expect((await ask(method, target)).status).toBe(501);
  }
});

test('authorize is asked for outbox, deliver and export', async () => {
  const actions: string[] = [];
  const { ask } = await openHttpRunner({ authorize: (_, action) => (actions.push(action), false) });
  await ask('GET', '/outbox');
  await ask('POST', '/outbox/retry');
  await ask('POST', '/outbox/export', { json: { folder: '/x' } });
  expect(actions).toEqual(['outbox', 'deliver', 'export']);
});
