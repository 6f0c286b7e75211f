import { expect, test } from 'vitest';
import { mappedTo, otherRegistry, reached, threeVersions, to } from '../support/three-versions.js';

/** `A` at version 3, before that at 2, before that at 1. */
async function atThree() {
  const station = await threeVersions();
  const { supervisor, registry } = station;
  for (const version of ['2', '3']) await supervisor.switch(to(version, ['A']));
  expect(await mappedTo(registry)).toEqual(['3', '1']);
  return station;
}

test('a rollback that somebody has made while the version before was started goes no further back', async () => {
  const { supervisor, registry, ask } = await atThree();
  await expect.poll(() => supervisor.status().map(({ version }) => version)).toEqual(['3']);
  const starting = reached(supervisor, '2', 'starting');
  const back = supervisor.rollback({ productId: 'A' });
  await starting;
  await (await otherRegistry(registry)).rollback({ productId: 'A' });
  await back;
  expect(await mappedTo(registry)).toEqual(['2', '1']);
  expect(await ask()).toMatchObject({ version: '2' });
});

test('a rollback of an id that is moved elsewhere while the version before is started is superseded', async () => {
  const { supervisor, registry } = await atThree();
  await expect.poll(() => supervisor.status().map(({ version }) => version)).toEqual(['3']);
  const starting = reached(supervisor, '2', 'starting');
  const back = supervisor.rollback({ productId: 'A' });
  await starting;
  await (await otherRegistry(registry)).switch({ name: 'sample', version: '1', productIds: ['A'] });
  await expect(back).rejects.toMatchObject({ code: 'superseded', details: { productIds: ['A'] } });
  expect(await mappedTo(registry)).toEqual(['1', '1']);
});
