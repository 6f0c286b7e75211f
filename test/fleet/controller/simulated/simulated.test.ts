import { expect, test } from 'vitest';
import { ControlledPlant, type Troubles } from './controlled-plant.js';

/** Seeds that `npm run soak:controllers` goes through with each kind of trouble; a run of the suite takes some, others each time. */
const ALL = 1_000;
const SOME = 2;
/** One seed again: `FLEET_SEED=N`; more seeds or another plant: `FLEET_SEEDS=N FLEET_STATIONS=N`. */
const { FLEET_SEED, FLEET_SEEDS, FLEET_STATIONS = '4' } = process.env;
const stations = Number(FLEET_STATIONS);
const begin = FLEET_SEEDS === undefined ? 1 + (Number(process.env.PROPERTY_SEED) % (ALL - SOME)) : 1;
const first = FLEET_SEED === undefined ? begin : Number(FLEET_SEED);
const seeds = FLEET_SEED === undefined ? Number(FLEET_SEEDS ?? SOME) : 1;

const TROUBLES: [what: string, troubles: Troubles][] = [
  ['that keeps what it has', { losesWrites: false, isWiped: false }],
  ['that loses acknowledged writes', { losesWrites: true, isWiped: false }],
  ['whose bucket is wiped', { losesWrites: true, isWiped: true }],
];

test.each(TROUBLES)(
  `${seeds} seeds of three controllers that are killed and cut off, with a server %s: one acts, an ended rollout moves nobody, all comes to rest`,
  async (_what, troubles) => {
    for (let seed = first; seed < first + seeds; seed++)
      await new ControlledPlant(seed, { stations, troubles }).run();
  },
  24 * 3_600_000,
);

test('a seed takes the same steps each time', async () => {
  const stories = [];
  for (let run = 0; run < 2; run++) {
    const plant = new ControlledPlant(4_711, {
      stations: 4,
      troubles: { losesWrites: false, isWiped: false },
    });
    await plant.run();
    stories.push([plant.world.steps, plant.world.now, plant.world.story(200)]);
  }
  expect(stories[0]).toEqual(stories[1]);
});
