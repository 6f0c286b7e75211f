import { expect, onTestFinished, test, vi } from 'vitest';
import { WorkerLauncher } from '../../src/supervisor/pool/worker-launcher.js';
import { FakeWorker } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';

test('a start that fails with an error of no code is a bug, told as internal, which those who keep places filled act on', async () => {
  const fake = new FakeWorker();
  onTestFinished(() => fake.close());
  const spec = await fake.spec();
  const env = {
    get SECRET(): string {
      throw new TypeError('the vault is shut');
    },
  };
  const launcher = new WorkerLauncher({
    title: 'sample 1.0.0',
    warmStart: { server: undefined, doubted: vi.fn(), started: vi.fn() },
    make: () => new AlgorithmWorker({ ...spec, env }),
    ...{ tell: vi.fn(), changed: vi.fn() },
    onExit: vi.fn(),
  });
  await expect(launcher.launch(() => 0)).rejects.toMatchObject({
    code: 'internal',
    message: /start sample 1\.0\.0.*the vault is shut/i,
  });
});
