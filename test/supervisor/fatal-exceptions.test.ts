import { expect, test } from 'vitest';
import { deployVersion, openSupervised } from '../support/deployed-version.js';

/** Raises what `user_params["raise"]` names, a class of its own derived from it, and says which process answers. */
const SOURCE = `import os
import procvision_algorithm_sdk as sdk

class Algorithm(sdk.BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        if "raise" in user_params:
            fault = type("Own", (getattr(sdk, user_params["raise"]),), {})("the GPU is lost")
            fault.error_code = "1004"
            raise fault
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": {"process": os.getpid()}}}
`;

async function bundledWorker(policy: object) {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled', policy });
  await deployVersion(registry, { source: SOURCE });
  await supervisor.start('sample', '1.0.0');
  const execute = (userParams: object = {}) =>
    supervisor.execute({
      target: { name: 'sample', version: '1.0.0' },
      stepIndex: 1,
      image: { data: new Uint8Array(12), width: 2, height: 2 },
      userParams: { ...userParams },
      timeoutMs: 30_000,
    });
  const restarts: { reason: string; attempt: number; delayMs: number }[] = [];
  supervisor.on('restart', (event) => restarts.push(event));
  const processOf = async () => (await execute()).data.debug;
  return { supervisor, execute, processOf, restarts };
}

test('a fatal exception is answered at the first attempt, and the next call gets a fresh process', async () => {
  const { supervisor, execute, processOf, restarts } = await bundledWorker({ recoverableCodes: ['1004'] });
  const before = await processOf();
  const result = await execute({ raise: 'FatalError' });
  expect(result).toMatchObject({
    status: 'ERROR',
    exception: { type: 'Own' },
    errorCode: '1004',
    attempts: 1,
  });
  const after = await processOf();
  expect(after).toEqual({ process: expect.any(Number) as number });
  expect(after).not.toEqual(before);
  expect(restarts).toMatchObject([{ reason: 'fatal exception', attempt: 1, delayMs: 0 }]);
  expect(supervisor.status()).toMatchObject([{ circuit: 'closed', restarts: 1 }]);
});

test('an exception that the policy does not call fatal leaves its process at work', async () => {
  const { execute, processOf, restarts } = await bundledWorker({ fatalExceptions: [], retries: 0 });
  const before = await processOf();
  for (const exception of ['FatalError', 'RecoverableError']) {
    expect(await execute({ raise: exception })).toMatchObject({
      status: 'ERROR',
      exception: { type: 'Own' },
    });
  }
  expect(await processOf()).toEqual(before);
  expect(restarts).toEqual([]);
});
