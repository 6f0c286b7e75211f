import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RunnerStation } from '../../../src/fleet/agent/runner/runner-station.js';
import { deployVersion } from '../../../src/testing/deploy-version.js';
import { temporaryRunner } from '../../support/open-runner.js';
import { steeredAlgorithm } from '../../support/steered-algorithm.js';

const NAME = 'board';
const IDS = ['A01', 'A02'];
const image = { data: new Uint8Array(12).fill(90), width: 2, height: 2 };

/** A station whose product ids are served by the first of some versions, all of which are deployed. */
async function stationOf(versions: readonly string[]) {
  const { runner, folder } = await temporaryRunner();
  for (const version of versions) {
    await deployVersion(runner.registry, {
      name: NAME,
      version,
      productIds: IDS,
      source: steeredAlgorithm(),
    });
  }
  await runner.registry.activate({ name: NAME, version: versions[0] ?? '', productIds: IDS });
  const station = new RunnerStation(runner, { folder });
  onTestFinished(() => {
    station.close();
  });
  return { runner, station, folder };
}

test('a way back leaves a product id alone that somebody else has moved while another one went back', async () => {
  const { runner, station } = await stationOf(['1.0.0', '2.0.0', '3.0.0']);
  await runner.supervisor.switch({ name: NAME, version: '2.0.0', productIds: IDS });
  let moved: Promise<void> | undefined;
  const rollback = runner.supervisor.rollback.bind(runner.supervisor);
  runner.supervisor.rollback = async (o) => {
    await rollback(o);
    moved ??= runner.supervisor.switch({ name: NAME, version: '3.0.0', productIds: ['A02'] });
    await moved;
  };
  const way = { name: NAME, version: '2.0.0', productIds: IDS, quarantined: ['board@2.0.0'] };
  expect(await station.back(way)).toEqual({ to: { A01: 'board@1.0.0' }, left: [] });
  expect(await station.serving()).toMatchObject({ A01: { version: '1.0.0' }, A02: { version: '3.0.0' } });
});

test('a last call of the version before, which ends after the first ones of the next, takes nothing from its figures', async () => {
  const { runner, station, folder } = await stationOf(['1.0.0', '2.0.0']);
  const call = (userParams: Record<string, unknown> = {}) =>
    runner.supervisor.execute({ productId: 'A01', stepIndex: 1, image, userParams, timeoutMs: 60_000 });
  await call();
  expect((await station.calls()).A01).toMatchObject({ version: 'board@1.0.0', calls: 1 });
  const end = path.join(folder, 'end');
  const last = call({ wait_for: end });
  await runner.supervisor.switch({ name: NAME, version: '2.0.0', productIds: IDS });
  expect((await call()).version).toBe('2.0.0');
  await call();
  await writeFile(end, '');
  expect((await last).version).toBe('1.0.0');
  await call();
  expect((await station.calls()).A01).toMatchObject({ version: 'board@2.0.0', calls: 3 });
  await runner.supervisor.switch({ name: NAME, version: '1.0.0', productIds: IDS });
  await call();
  expect((await station.calls()).A01).toMatchObject({ version: 'board@1.0.0', calls: 1 });
});
