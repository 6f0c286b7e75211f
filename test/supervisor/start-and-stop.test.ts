import { expect, test } from 'vitest';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { next, threeVersions } from '../support/three-versions.js';

test('a stop waits for a version that stops already: what comes next may remove it', async () => {
  const { supervisor, ask, versions, registry } = await threeVersions();
  await ask();
  const executing = next(supervisor, 'state');
  const running = ask({ sleep_ms: 300 });
  await executing;
  const first = supervisor.stop('sample', '1');
  await supervisor.stop('sample', '1');
  expect(versions()).toEqual([]);
  expect(await registry.users('sample', '1')).toEqual([]);
  expect((await running).status).toBe('OK');
  await first;
});

test.each(['sdk', 'bundled'] as const)(
  'a worker (%s) of another generation than its version is registered with does not start, and says what to do',
  async (worker) => {
    const { registry, supervisor } = await openSupervised({ worker });
    const entry = await deployVersion(registry, { name: 'sample', version: '1' });
    await registry.register({ ...entry, generation: 'execute-only' });
    await expect(supervisor.start('sample', '1')).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringMatching(
        /registered as execute-only.*says that it is phased.*Install the version again with force/,
      ) as string,
      details: { stage: 'hello' },
    });
    await registry.register(entry);
    await supervisor.start('sample', '1');
  },
);
