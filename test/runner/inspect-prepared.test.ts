import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Runner } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { temporaryRunner } from '../support/open-runner.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

/** `pre` keeps a value in the session, `execute` tells what it finds there. Each does as `user_params` asks. */
const SOURCE = `import os, time
from procvision_algorithm_sdk import BaseAlgorithm
prepared = set()

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        time.sleep(user_params.get("pre_ms", 0) / 1000)
        while "wait_for" in user_params and not os.path.exists(user_params["wait_for"]):
            time.sleep(0.005)
        prepared.add(session.id)
        session.set("kept", 42)
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        flag = user_params.get("exit_once")
        if user_params.get("exit") or (flag and not os.path.exists(flag)):
            open(flag or os.devnull, "a").close()
            os._exit(7)
        if "raise" in user_params:
            import procvision_algorithm_sdk as sdk
            raise getattr(sdk, user_params["raise"])("no")
        debug = {"kept": session.get("kept"), "prepared": session.id in prepared}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": debug}}
`;

async function deployed(runner: Runner, ...versions: string[]) {
  for (const version of versions) await deployVersion(runner.registry, { version, source: SOURCE });
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const calls: string[] = [];
  runner.supervisor.on('result', ({ phase, result }) => void calls.push(`${phase} ${result.version}`));
  return calls;
}

test('a picture that a canary has prepared is prepared again by the mapped version, once the canary has no share', async () => {
  const { runner, folder } = await temporaryRunner();
  const { supervisor } = runner;
  const calls = await deployed(runner, '1.0.0', '2.0.0');
  const share = 0.99;
  await supervisor.switch({ name: 'sample', version: '2.0.0', productIds: ['A01'], share });
  const go = path.join(folder, 'go');
  const inspected = runner.inspect('A01', image, { userParams: { wait_for: go } });
  await expect.poll(() => supervisor.status().find(({ version }) => version === '2.0.0')?.inFlight).toBe(1);
  await supervisor.rollback({ productId: 'A01' });
  await writeFile(go, '');
  expect(await inspected).toMatchObject({ version: '1.0.0', data: { debug: { prepared: true } } });
  expect(calls).toEqual(['pre 2.0.0', 'pre 1.0.0', 'execute 1.0.0']);
});

test('a picture whose worker leaves in execute is prepared again by the worker that executes', async () => {
  const { runner, folder } = await temporaryRunner({ supervisor: { worker: 'bundled' } });
  const calls = await deployed(runner, '1.0.0');
  const userParams = { exit_once: path.join(folder, 'flag') };
  const { data } = await runner.inspect('A01', image, { userParams });
  expect(data.debug).toEqual({ kept: 42, prepared: true });
  expect(calls).toEqual(['pre 1.0.0', 'pre 1.0.0', 'execute 1.0.0']);
});

test('a picture that ends each worker that executes it fails with the end of the worker', async () => {
  const { runner } = await temporaryRunner({ supervisor: { worker: 'bundled', policy: { maxCrashes: 9 } } });
  await deployed(runner, '1.0.0');
  await expect(runner.inspect('A01', image, { userParams: { exit: true } })).rejects.toMatchObject({
    code: 'worker_exited',
  });
});

test('an execute worth another attempt goes to the worker that has prepared it, and its answer stays', async () => {
  const { runner } = await temporaryRunner({ supervisor: { worker: 'bundled', policy: { workers: 2 } } });
  await deployed(runner, '1.0.0');
  const answer = await runner.inspect('A01', image, { userParams: { raise: 'RecoverableError' } });
  expect(answer).toMatchObject({ status: 'ERROR', attempts: 3, exception: { type: 'RecoverableError' } });
});

test('the limit of an inspection holds for all of its preparations together', async () => {
  const { runner } = await temporaryRunner();
  const { registry, supervisor } = runner;
  const calls = await deployed(runner, '1.0.0', '2.0.0');
  for (const version of ['1.0.0', '2.0.0']) await supervisor.start('sample', version);
  supervisor.once('state', () => {
    void registry.activate({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
  });
  // There is time for one preparation, and none for that of the other version.
  const inspected = runner.inspect('A01', image, { timeoutMs: 3_500, userParams: { pre_ms: 2_000 } });
  await expect(inspected).rejects.toMatchObject({ code: 'timeout' });
  expect(calls.length).toBeLessThan(2);
});
