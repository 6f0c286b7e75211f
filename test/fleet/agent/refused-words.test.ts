import { expect, test } from 'vitest';
import { signState } from '../../../src/fleet/state/signing.js';
import type { ReportedState } from '../../../src/fleet/state.js';
import { generateSigningKeys } from '../../../src/signing/index.js';
import { Machine } from '../simulator/machine.js';
import { GROUP, PLANT, publicKey } from '../simulator/operator.js';
import { SimServer } from '../simulator/server.js';
import { World } from '../simulator/world.js';

test('a bar of another key, on a version that the station does not have, is refused until the word is gone', async () => {
  const world = new World(1);
  const server = new SimServer(world);
  const settings = { plant: PLANT, group: GROUP, publicKeys: [publicKey] };
  const machine = new Machine('line 1', world, server, new Map(), settings);
  const state = () => (server.get('reported.line=201')?.value as ReportedState | undefined)?.state;
  machine.start();
  await world.run(10_000);
  expect(state()).toBe('idle');
  const { key, value } = signState(
    'bar',
    { rev: 1, plant: PLANT, name: 'lid', version: '9.0', reason: 'none', by: 'eve', at: 'now' },
    generateSigningKeys().privateKey,
  );
  server.put(key, value);
  await world.run(world.now + 10_000);
  expect(state()).toBe('refused');
  server.delete(key);
  await world.run(world.now + 70_000);
  expect(state()).toBe('idle');
  machine.crash();
});
