import { expect, test } from 'vitest';
import { countersOf, MemoryKills } from '../../src/process/memory-kills.js';
import { exitFailures } from '../../src/worker/worker-failures.js';

test('a kill that the counter tells of is claimed once, and none from before', () => {
  let count = 7;
  const kills = new MemoryKills(() => count);
  expect(kills.claim()).toBe(false);
  count = 9;
  expect([kills.claim(), kills.claim(), kills.claim()]).toEqual([true, true, false]);
});

test('where the system has no counter nothing is said of memory', () => {
  expect(new MemoryKills(() => undefined).claim()).toBe(false);
});

test.each([
  ['0::/app.slice/host\n', ['/sys/fs/cgroup/app.slice/host/memory.events', '/sys/fs/cgroup/memory.events']],
  ['4:memory:/host\n1:cpu:/\n', ['/sys/fs/cgroup/memory/host/memory.oom_control']],
  ['2:cpu,memory:/\n', ['/sys/fs/cgroup/memory/memory.oom_control']],
])('the counter of the cgroups %j is looked for in its own cgroup first', (cgroups, files) => {
  expect(countersOf(cgroups)).toEqual(expect.arrayContaining(files));
  expect(countersOf(cgroups)[0]?.replace('//', '/')).toBe(files[0]);
});

test('an exit for want of memory says so and what to do', () => {
  const { byItself } = exitFailures('The worker', null, 'SIGKILL', [], { isOutOfMemory: true });
  expect(byItself.message).toMatch(
    /^The worker was killed by SIGKILL: memory had run out.*recycleAboveBytes/,
  );
  expect(byItself.details).toMatchObject({ isOutOfMemory: true });
});
