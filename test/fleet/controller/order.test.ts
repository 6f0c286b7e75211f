import { expect, test } from 'vitest';
import { gatesOf, orderOf, type RolloutRequest } from '../../../src/fleet/controller/order.js';
import { digestOf } from '../../support/scripted-station.js';

const REQUEST: RolloutRequest = {
  ...{ name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0') },
  waves: [{ group: 'east' }],
};

test('an order has every default, and gates of a wave hold before those of the rollout', () => {
  const order = orderOf({
    ...REQUEST,
    waves: [{ group: 'east', gates: { soakMs: 5 } }, { stations: ['a', 'a', 'b'] }],
    gates: { soakMs: 1, acceptedShare: 0.9 },
  });
  expect(order.on_failure).toBe('back');
  expect(order.waves[0]).toEqual({
    group: 'east',
    gates: { accepted_share: 0.9, failed_share: 1 - 0.9, min_calls: 100, soak_ms: 5, approval: false },
  });
  expect(order.waves[1]).toMatchObject({ stations: ['a', 'b'], gates: { soak_ms: 1 } });
  expect(orderOf({ ...REQUEST, productIds: ['B', 'A', 'B'] }).products).toEqual(['A', 'B']);
  expect(orderOf({ ...REQUEST, gates: { errors: {} } }).waves[0]?.gates.errors).toEqual({
    ...{ acceptable_rate: 0.01, rejectable_rate: 0.1, alpha: 0.05, beta: 0.05 },
  });
});

test.each<[what: string, request: Partial<RolloutRequest>, fault: string]>([
  ['no wave', { waves: [] }, 'waves must have at least one wave'],
  ['a wave of nobody', { waves: [{}] }, 'waves.0 must name either a group or its stations'],
  ['a wave of both', { waves: [{ group: 'a', stations: ['b'] }] }, 'waves.0 must name either'],
  [
    'a wave without stations',
    { waves: [{ stations: [] }] },
    'waves.0.stations must name at least one station',
  ],
  ['a share of stations', { waves: [{ stations: ['a'], share: 0.5 }] }, 'waves.0.share is of a group'],
  ['a share of none', { waves: [{ group: 'a', share: 0 }] }, 'waves.0.share must be above 0, at most 1'],
  ['no product ids', { productIds: [] }, 'productIds must name at least one'],
  ['a digest that is none', { digest: 'x' }, 'digest must be a SHA-256'],
  ['a version with @', { version: '1@2' }, 'is no name and version'],
])('%s is refused', (_what, request, fault) => {
  expect(() => orderOf({ ...REQUEST, ...request })).toThrow(fault);
});

test.each<[gates: Parameters<typeof gatesOf>[0], fault: string]>([
  [{ acceptedShare: 0 }, 'gates.acceptedShare must be above 0, at most 1'],
  [{ acceptedShare: 1.1 }, 'gates.acceptedShare'],
  [{ failedShare: 1, acceptedShare: 0.1 }, 'gates.failedShare must be from 0 to below 1'],
  [{ acceptedShare: 0.9, failedShare: 0.3 }, 'the wave could neither pass nor fail'],
  [{ maxDrift: 0 }, 'gates.maxDrift'],
  [{ maxDrift: 1 }, 'gates.maxDrift'],
  [{ maxLatencyRatio: 0 }, 'gates.maxLatencyRatio'],
  [{ soakMs: 10, deadlineMs: 10 }, 'the wave could never pass in time'],
  [{ errors: { acceptableRate: 0.2, rejectableRate: 0.1 } }, 'must be above acceptableRate'],
])('gates that cannot hold are refused: %j', (gates, fault) => {
  expect(() => gatesOf(gates)).toThrow(fault);
});

test('gates at their bounds are taken', () => {
  expect(gatesOf({ acceptedShare: 0.9, failedShare: 0.1 })).toMatchObject({ failed_share: 0.1 });
  expect(gatesOf({ acceptedShare: 0.7, failedShare: 0.3 })).toMatchObject({ failed_share: 0.3 });
  expect(gatesOf({ soakMs: 10, deadlineMs: 11 })).toMatchObject({ deadline_ms: 11 });
});
