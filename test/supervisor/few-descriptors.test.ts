import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { phasedSource, READ } from '../support/bundled-worker.js';

/**
 * Takes all descriptors that its process may have but so many, at the call that says so. With none left those that come free are none
 * either: the process may have no further one, whatever it closes.
 */
const TAKES = phasedSource(
  `${READ}value = int(image[0, 0, 0])
left = user_params.get("left")
if left == 0:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
elif left is not None:
    try:
        while True: taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError: pass
    for number in [taken.pop() for _ in range(left)]: os.close(number)
return ok(value=value)`,
  `import os, resource
taken = []
`,
);
const isLinux = process.platform === 'linux';

async function open(worker: 'sdk' | 'bundled', policy: object) {
  const pool = new FramePool();
  onTestFinished(() => pool.close());
  const { registry, supervisor } = await openSupervised({
    worker,
    frames: pool,
    policy: { backoffMs: 1, ...policy },
  });
  await deployVersion(registry, { source: TAKES });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.start('sample', '1.0.0');
  const frames = await Promise.all(Array.from({ length: 20 }, () => pool.lease({ width: 64, height: 64 })));
  const look = async (n: number, left?: number) => {
    const frame = frames[n % frames.length] ?? expect.fail('no frame');
    frame.pixels.fill(n);
    const image = frame;
    const result = await supervisor.execute({ productId: 'A01', stepIndex: 1, image, userParams: { left } });
    expect([result.status, result.message]).toEqual(['OK', '']);
    expect(result.data.debug).toEqual({ value: n });
    return result.attempts;
  };
  const restarts = () => supervisor.status()[0]?.workers[0]?.restarts;
  return { look, restarts };
}

test.runIf(isLinux)(
  'a worker that may have few descriptors reads twenty frames in turn, and loses none',
  async () => {
    const { look } = await open('bundled', { resources: { openFiles: 28 }, retries: 0 });
    for (let n = 0; n < 60; n++) await look(n);
  },
);

test.runIf(isLinux)(
  'an algorithm that leaves few descriptors gets all its pictures: what is kept of others goes',
  async () => {
    const { look, restarts } = await open('bundled', { resources: { openFiles: 200 } });
    await look(0, 6);
    for (let n = 1; n < 60; n++) expect(await look(n)).toBeLessThanOrEqual(2);
    expect(restarts()).toBe(0);
  },
);

test.runIf(isLinux).each(['sdk', 'bundled'] as const)(
  'a worker that has no descriptor left for a picture is replaced, and the next process answers: %s',
  async (worker) => {
    const { look, restarts } = await open(worker, { resources: { openFiles: 200 } });
    await look(0, 0);
    for (let n = 1; n < 30; n++) await look(n);
    expect(restarts()).toBe(1);
  },
);
