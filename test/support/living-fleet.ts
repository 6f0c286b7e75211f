import { onTestFinished } from 'vitest';
import { FleetController } from '../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../src/fleet/controller/operator.js';
import type { FleetConnection } from '../../src/fleet/ports.js';
import { BucketInMemory, FLEET_KEYS } from './fleet-bucket.js';
import { digestOf, livePlant, ScriptedStation } from './scripted-station.js';

const GATES = { acceptedShare: 1, soakMs: 0 };

/** Four stations that serve `check` 1.0.0, a controller and an operator, on a bucket in memory whose time the test lets pass. */
export function livingFleet({
  bucket = new BucketInMemory(),
  connection = bucket.connect('operator'),
  staying = [],
}: {
  bucket?: BucketInMemory;
  connection?: FleetConnection;
  /** Stations that never come to an end with the new version. */
  staying?: string[];
} = {}) {
  const stations = ['s1', 's2', 's3', 's4'].map((name) => {
    return new ScriptedStation(
      bucket.connect(),
      name,
      staying.includes(name) ? { behaviour: () => 'stay' } : {},
    );
  });
  onTestFinished(livePlant(bucket, stations));
  const { privateKey } = FLEET_KEYS;
  const controller = new FleetController({
    ...{ connection: bucket.connect('c1'), plant: 'p', privateKey, holder: 'c1', clock: bucket.clock },
  }).start();
  onTestFinished(() => controller.close());
  const operator = new FleetOperator({ connection, plant: 'p', privateKey });
  return {
    ...{ bucket, stations, operator },
    pass: (ms: number) => bucket.pass(ms),
    /** Begins a rollout in two waves, the first of which asks for approval; gives its id. */
    begin: async () => {
      await bucket.pass(2_000);
      const waves = [
        { stations: ['s1', 's2'], gates: { ...GATES, approval: true } },
        { stations: ['s3', 's4'], gates: GATES },
      ];
      const order = { name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0'), waves };
      return (await operator.rollout(order)).rollout;
    },
  };
}
