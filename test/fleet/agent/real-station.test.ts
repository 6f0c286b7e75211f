import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  exportPackage,
  keyOf,
  openFleetAgent,
  signState,
  type FleetAgent,
  type FleetServerConnection,
  type ReportedState,
} from '../../../src/fleet/index.js';
import type { BarState, DesiredState } from '../../../src/fleet/index.js';
import type { Runner } from '../../../src/index.js';
import { generateSigningKeys } from '../../../src/signing/index.js';
import { serveFolder } from '../../support/content-source.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { temporaryRunner } from '../../support/open-runner.js';
import { packageFile } from '../../support/package-file.js';

const controller = generateSigningKeys();
const PLANT = 'north';
const STATION = 'line 1.a';
const image = { data: new Uint8Array(12).fill(90), width: 2, height: 2 };
const call = { productId: 'A01', stepIndex: 1, image };
const LONG = { timeout: 120_000 };
const LEFT = 'A01 is not served: sample@1.0.0 has a bar, and there is no earlier version';

/** A station with version 1.0.0 at work, a source that has 2.0.0 too, and a real server. */
async function setUp() {
  const server = await TestServer.start();
  const office = await server.connect({ name: 'office' });
  await office.create();
  const { runner, folder } = await temporaryRunner();
  const origin = path.join(folder, 'origin');
  const first = await packageFile({ version: '1.0.0' });
  await runner.ensureInstalled(first, { activate: ['A01'] });
  await runner.startActive();
  const { digest } = await exportPackage(await packageFile({ version: '2.0.0' }), origin);
  const source = await serveFolder(origin);
  const connection = await server.connect({ name: STATION });
  const join = () => open(runner, connection, source.url);
  return { server, office, runner, folder, digest, source, connection, join };
}

async function open(runner: Runner, connection: FleetServerConnection, source: string): Promise<FleetAgent> {
  const agent = await openFleetAgent(runner, {
    ...{ plant: PLANT, station: STATION, publicKeys: [controller.publicKey], connection, sources: [source] },
    probation: { calls: 3 },
  });
  onTestFinished(() => agent.close());
  return agent;
}

function desire(connection: FleetServerConnection, rev: number, digest: string, version = '2.0.0') {
  const ref = `sample@${version}`;
  const state: DesiredState = {
    ...{ rev, plant: PLANT, station: STATION },
    ...{ packages: { [ref]: { digest } }, products: { A01: ref } },
  };
  const { key, value } = signState('desired', state, controller.privateKey);
  return connection.values.put(key, value);
}

function bar(connection: FleetServerConnection, version: string) {
  const state: BarState = {
    ...{ rev: 1, plant: PLANT, name: 'sample', version },
    ...{ reason: 'drift', by: 'anna', at: new Date().toISOString() },
  };
  const { key, value } = signState('bar', state, controller.privateKey);
  return connection.values.put(key, value);
}

async function reported(
  connection: FleetServerConnection,
  wanted: Partial<ReportedState>,
): Promise<ReportedState> {
  return vi.waitFor(async () => {
    const stored = await connection.values.get(keyOf('reported', STATION));
    expect(stored?.value).toMatchObject(wanted);
    return stored?.value as ReportedState;
  }, LONG);
}

const skip = (await natsServer()) === undefined;
const title = skip ? `a real station (skipped: ${NO_SERVER})` : 'a real station';

describe.skipIf(skip)(title, { timeout: 240_000 }, () => {
  test('takes a version by its digest, stands its trial, goes back on a bar, and answers every call', async () => {
    const { office, runner, digest, join } = await setUp();
    await join();
    await reported(office, { state: 'idle', serving: { A01: 'sample@1.0.0' } });
    const answers: string[] = [];
    const over = new AbortController();
    const calls = (async () => {
      while (!over.signal.aborted) {
        answers.push((await runner.supervisor.execute(call)).version);
        await pause(20); // a camera's pace: the install must have the machine too
      }
    })();
    await desire(office, 1, digest);
    const converged = await reported(office, {
      rev: 1,
      state: 'converged',
      serving: { A01: 'sample@2.0.0' },
    });
    expect(converged.deployed).toMatchObject({ 'sample@1.0.0': '', 'sample@2.0.0': digest });
    await bar(office, '2.0.0');
    const back = await reported(office, {
      ...{ state: 'failed', code: 'version_barred' },
      ...{ serving: { A01: 'sample@1.0.0' }, quarantined: { 'sample@2.0.0': 'drift' }, words_rev: 1 },
    });
    expect(back.reason).toMatch(/sample 2\.0\.0 is desired and has a bar: drift/);
    over.abort();
    await calls;
    expect(new Set(answers)).toEqual(new Set(['1.0.0', '2.0.0']));
    expect((await runner.supervisor.execute(call)).version).toBe('1.0.0');
    const events = await office.events.read({ station: STATION });
    const bodies = events.map(({ body }) => body as { offset: number; kind: string });
    expect(bodies.map(({ offset }) => offset)).toEqual(bodies.map((_, index) => index + 1));
    const kinds = bodies.map(({ kind }) => kind).filter((kind) => kind !== 'state');
    expect(kinds).toEqual(['desired', 'installed', 'switched', 'bar', 'back']);
  });

  test('serves on without a line, remembers a bar over a restart, and publishes its events once when the server is back', async () => {
    const { server, office, digest, join } = await setUp();
    const first = await join();
    await desire(office, 1, digest);
    await reported(office, { serving: { A01: 'sample@2.0.0' } });
    await bar(office, '2.0.0');
    await reported(office, { serving: { A01: 'sample@1.0.0' } });
    await server.stop('SIGKILL');
    await first.close();
    const agent = await join();
    const events: string[] = [];
    agent.on('event', ({ kind, ...event }) =>
      events.push(`${kind} ${'state' in event ? event.state : ''}`.trim()),
    );
    await vi.waitFor(() => {
      expect(events).toEqual(['state failed']);
    }, LONG);
    await server.restart();
    await vi.waitFor(async () => {
      const stored = await office.events.read({ station: STATION });
      const bodies = stored.map(({ body }) => body as { offset: number; kind: string; state?: string });
      expect(bodies.map(({ offset }) => offset)).toEqual(bodies.map((_, index) => index + 1));
      expect(bodies.at(-1)).toMatchObject({ kind: 'state', state: 'failed' });
      expect(bodies.filter(({ kind }) => kind === 'back')).toHaveLength(1);
    }, LONG);
  });

  test('is left without a version by a bar where there is no earlier one, and its report says so', async () => {
    const { office, runner, join } = await setUp();
    await join();
    await reported(office, { state: 'idle' });
    await bar(office, '1.0.0');
    const report = await reported(office, { quarantined: { 'sample@1.0.0': 'drift' }, reason: LEFT });
    expect(report.serving).toEqual({});
    await expect(runner.supervisor.execute(call)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('reports a package that no source has with its code, and serves on', async () => {
    const { office, runner, join } = await setUp();
    await join();
    await desire(office, 1, 'b'.repeat(64));
    await reported(office, {
      rev: 1,
      state: 'failed',
      code: 'source_missing',
      serving: { A01: 'sample@1.0.0' },
    });
    expect((await runner.supervisor.execute(call)).version).toBe('1.0.0');
  });

  test('waits for a lock of the line, and a second agent of the same store is refused', async () => {
    const { office, runner, digest, connection, source, join } = await setUp();
    const agent = await openFleetAgent(runner, {
      ...{
        plant: PLANT,
        station: STATION,
        publicKeys: [controller.publicKey],
        connection,
        sources: [source.url],
      },
      locks: () => ['batch 7'],
    });
    await desire(office, 1, digest);
    const { serving } = await reported(office, { state: 'waiting', reason: 'locked: batch 7' });
    expect(serving).toEqual({ A01: 'sample@1.0.0' });
    await expect(join()).rejects.toMatchObject({ code: 'lock_timeout' });
    await agent.close();
    await (await join()).close();
  });
});
