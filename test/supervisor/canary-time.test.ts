import { expect, test } from 'vitest';
import { trialGround } from '../support/on-trial.js';

test('a trial of 60 s is passed in its last millisecond, not before', async () => {
  const { clock, begin, answer, names, servedBy } = await trialGround();
  begin({ durationMs: 60_000 });
  answer('OK');
  clock.advance(59_999);
  expect(names()).toEqual([]);
  clock.advance(1);
  expect(names()).toEqual(['accepted', 'probationPassed']);
  expect(await servedBy()).toEqual(['2', '2']);
});

test('a trial of 60 s in which every call failed is failed in its last millisecond, and the version before serves again', async () => {
  const { clock, begin, answer, names, registry, canaries } = await trialGround();
  begin({ durationMs: 60_000 });
  for (let call = 0; call < 3; call++) answer('ERROR');
  clock.advance(59_999);
  expect(names()).toEqual([]);
  clock.advance(1);
  await canaries.close(); // waits for the way back
  expect(names()).toEqual(['switchedBack']);
  expect((await registry.active()).A).toMatchObject({
    version: '1',
    barred: [{ version: '2', reason: '3 of 3 calls failed' }],
  });
});

test('closing in the middle of a trial leaves no timer of it, and no verdict', async () => {
  const { clock, begin, answer, names, canaries, old } = await trialGround();
  begin();
  const { pending } = clock;
  answer('ERROR');
  await canaries.close();
  expect([clock.pending, old.isKept]).toEqual([pending - 1, false]);
  clock.advance(600_000);
  expect(names()).toEqual([]);
});
