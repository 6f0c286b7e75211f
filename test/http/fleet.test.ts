import { describe, expect, test } from 'vitest';
import type { FleetStatus } from '../../src/fleet/controller/status.js';
import { RunnerError } from '../../src/errors.js';
import { openApiDocument } from '../../src/http/openapi.js';
import { BucketInMemory } from '../support/fleet-bucket.js';
import { livingFleet } from '../support/living-fleet.js';
import { openHttpRunner } from '../support/http-runner.js';
import { OpenApiContract } from '../support/openapi-contract.js';

const contract = new OpenApiContract(JSON.parse(JSON.stringify(openApiDocument(''))));
const endpointOf = (id: string) => {
  const found = contract.endpoints.find(({ operation }) => operation.operationId === id);
  if (!found) throw new Error(`there is no ${id}`);
  return found;
};

async function plant() {
  const fleet = livingFleet();
  const runner = await openHttpRunner({ fleet: fleet.operator });
  const look = async () => {
    const response = await runner.ask('GET', '/fleet');
    return (await contract.expectDeclared(endpointOf('fleet'), response)) as FleetStatus;
  };
  return { ...fleet, ...runner, look };
}

describe('a server that knows a fleet', () => {
  test('tells the plant at a glance: stations, a rollout with its wave and gates, by the description', async () => {
    const { look, begin, pass } = await plant();
    await begin();
    await pass(3_000);
    const { plant: name, stations, rollouts, controller } = await look();
    expect([name, controller?.holder, stations.length]).toEqual(['p', 'c1', 4]);
    expect(stations[0]).toMatchObject({ station: 's1', isReachable: true, serving: { A: 'check@2.0.0' } });
    expect(rollouts).toMatchObject([
      { name: 'check', version: '2.0.0', state: 'running', wave: 1, waves: 2, report: { state: 'waiting' } },
    ]);
    expect(rollouts[0]?.report?.checks).toContainEqual({
      gate: 'approval',
      state: 'waiting',
      reason: 'an operator must approve: fleet approve',
    });
  });

  test('approves, halts and takes back, in the name of who was let in, and shows it at once', async () => {
    const fleet = livingFleet();
    const { ask } = await openHttpRunner({
      fleet: fleet.operator,
      authorize: () => ({ allowed: true, operator: 'eve' }),
    });
    const post = async (id: string, path: string, json: object) =>
      contract.expectDeclared(endpointOf(id), await ask('POST', path, { json }));
    const rollout = await fleet.begin();
    await fleet.pass(3_000);
    expect(await post('approveFleet', '/fleet/approve', { rollout, wave: 1 })).toMatchObject({ approved: 0 });
    expect(await post('haltFleet', '/fleet/halt', { reason: 'lunch' })).toMatchObject([
      { rollout, state: 'halted', reason: 'lunch (eve)' },
    ]);
    const status = (await (await ask('GET', '/fleet')).json()) as FleetStatus;
    expect(status.rollouts).toMatchObject([{ state: 'halted' }]);
    expect(await post('backFleet', '/fleet/back', { rollout, operator: 'mallory' })).toMatchObject({
      ...{ name: 'check', version: '2.0.0', by: 'eve' },
    });
    expect(await post('approveFleet', '/fleet/approve', { rollout: 'none' })).toMatchObject({
      code: 'not_found',
    });
  });

  test('has the fleet among its metrics', async () => {
    const { ask, begin, pass } = await plant();
    await begin();
    await pass(3_000);
    const text = await (await ask('GET', '/metrics')).text();
    for (const line of [
      'procvision_fleet_controller 1',
      'procvision_fleet_stations{state="converged",reachable="yes"} 2',
      'procvision_fleet_serving{package="check",version="2.0.0",product_id="A"} 2',
      'procvision_fleet_station_reachable{station="s4"} 1',
      'procvision_fleet_rollout_stations{rollout="check-2.0.0-1",package="check",version="2.0.0",standing="accepted"} 2',
      'procvision_fleet_rollout_gate_open{rollout="check-2.0.0-1",package="check",version="2.0.0",gate="approval",state="waiting"} 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text.endsWith('# EOF\n')).toBe(true);
  });

  test('asks authorize for each word by its own action', async () => {
    const { operator } = livingFleet();
    const asked: string[] = [];
    const { ask } = await openHttpRunner({
      fleet: operator,
      authorize: (_, action) => {
        asked.push(action);
        return action === 'fleet';
      },
    });
    expect((await ask('GET', '/fleet')).status).toBe(200);
    for (const path of ['halt', 'approve', 'back']) {
      expect((await ask('POST', `/fleet/${path}`, { json: { rollout: 'x' } })).status).toBe(403);
    }
    expect(asked).toEqual(['fleet', 'halt', 'approve', 'back']);
  });

  test('reads the bucket once for all who ask at once, and the metrics stand without it', async () => {
    const bucket = new BucketInMemory();
    let isCut = false;
    let lists = 0;
    const connection = bucket.connect('operator', ({ op, when }) => {
      if (op === 'list' && when === 'before') lists++;
      if (isCut) throw new RunnerError('unreachable', 'There is no line', { details: { path: 'x' } });
    });
    const { operator } = livingFleet({ bucket, connection });
    const { ask } = await openHttpRunner({ fleet: operator });
    await Promise.all(Array.from({ length: 8 }, () => ask('GET', '/fleet')));
    const once = lists;
    await ask('GET', '/fleet');
    expect(lists).toBe(once);
    isCut = true;
    await ask('POST', '/fleet/halt', { json: {} }); // forgets what is known
    const response = await ask('GET', '/fleet');
    expect(await contract.expectDeclared(endpointOf('fleet'), response)).toMatchObject({
      status: 503,
      code: 'unreachable',
    });
    const text = await (await ask('GET', '/metrics')).text();
    expect(text).toContain('procvision_host_memory_bytes');
    expect(text).not.toContain('procvision_fleet');
  });
});

test('a server without a fleet says so', async () => {
  const { ask } = await openHttpRunner();
  for (const [method, path] of [
    ['GET', ''],
    ['POST', '/halt'],
  ] as const) {
    const response = await ask(method, `/fleet${path}`);
    expect([response.status, await response.json()]).toMatchObject([501, { code: 'not_served' }]);
  }
});
