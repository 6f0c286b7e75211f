import { expect, test } from 'vitest';
import { Plant } from './plant.js';

/** Seeds that `npm run soak:fleet` goes through one after the other; a run of the suite takes some of them, others each time. */
const ALL = 10_000;
const SOME = 50;
/** One seed again: `FLEET_SEED=N`; more seeds from there, of another plant: `FLEET_SEED=N FLEET_SEEDS=N FLEET_STATIONS=N`. */
const { FLEET_SEED, FLEET_SEEDS, FLEET_STATIONS = '4' } = process.env;
const stations = Number(FLEET_STATIONS);
const seeds = Number(FLEET_SEEDS ?? (FLEET_SEED === undefined ? SOME : 1));
const begin = FLEET_SEEDS === undefined ? 1 + (Number(process.env.PROPERTY_SEED) % (ALL - SOME)) : 1;
const first = FLEET_SEED === undefined ? begin : Number(FLEET_SEED);
const faultsMs = 4 * 60_000;

test(
  `${seeds} seeds of a plant of ${stations} stations, with every kind of fault: nothing with a bar serves, all converge, each event is there once`,
  async () => {
    for (let seed = first; seed < first + seeds; seed += 1)
      await new Plant(seed, { stations, faultsMs }).run();
  },
  24 * 3_600_000,
);

test('a seed takes the same steps each time', async () => {
  const stories = [];
  for (let run = 0; run < 2; run += 1) {
    const plant = new Plant(4_711, { stations: 4, faultsMs });
    await plant.run();
    stories.push([plant.world.steps, plant.world.now, plant.world.story(200)]);
  }
  expect(stories[0]).toEqual(stories[1]);
});
