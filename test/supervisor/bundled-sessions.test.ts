import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const session = { id: 'board-7' };

/** `pre` keeps a value in the session, `execute` tells what it finds there; `wait_for` holds a call up. */
const SOURCE = `import os, time
from procvision_algorithm_sdk import BaseAlgorithm

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        session.set("kept", user_params["keep"])
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        while "wait_for" in user_params and not os.path.exists(user_params["wait_for"]):
            time.sleep(0.005)
        debug = {"found": session.get("kept"), "worker": os.getpid()}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": debug}}
`;

async function twoBundledWorkers() {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled', policy: { workers: 2 } });
  await deployVersion(registry, { source: SOURCE });
  await supervisor.start('sample', '1.0.0');
  const request = { target, stepIndex: 1, image, session };
  const prepared = await supervisor.preExecute({ ...request, userParams: { keep: 42 } });
  return { supervisor, request, keeper: prepared.worker };
}

test('what pre put into a session is there in execute, which waits for the worker that has it', async () => {
  const { supervisor, request, keeper } = await twoBundledWorkers();
  const go = path.join(await temporaryFolder(), 'go');
  // Of the session too, so that it runs at the worker that has its values and holds that one up.
  const holding = supervisor.execute({ ...request, userParams: { wait_for: go }, timeoutMs: 30_000 });
  await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
  const waiting = supervisor.execute({ ...request, timeoutMs: 30_000 });
  const other = await supervisor.execute({ ...request, session: { id: 'board-8' } });
  expect(other.worker).not.toBe(keeper);
  await writeFile(go, '');
  for (const result of await Promise.all([holding, waiting])) {
    expect(result).toMatchObject({ worker: keeper, data: { debug: { found: 42 } } });
  }
});

test('a session whose worker died goes on at another, without its values', async () => {
  const { supervisor, request, keeper } = await twoBundledWorkers();
  const exited = new Promise((resolve) => supervisor.once('exit', resolve));
  const pid = supervisor.status()[0]?.workers[keeper]?.processId ?? 0;
  process.kill(pid, 'SIGKILL');
  await exited;
  const result = await supervisor.execute({ ...request, timeoutMs: 30_000 });
  expect(result).toMatchObject({ status: 'OK', data: { debug: { found: null } } });
});

test('the class of an exception comes with the result, so that a caller can tell recoverable from fatal', async () => {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled', policy: { retries: 0 } });
  const raising =
    'import procvision_algorithm_sdk as sdk\n        raise getattr(sdk, user_params["raise"])("no")';
  const source = SOURCE.replace('debug = {', `${raising}\n        debug = {`);
  await deployVersion(registry, { source });
  for (const exception of ['RecoverableError', 'FatalError']) {
    const request = { target, stepIndex: 1, image, userParams: { raise: exception } };
    const result = await supervisor.execute({ ...request, timeoutMs: 30_000 });
    expect(result).toMatchObject({
      ...{ status: 'ERROR', exception: { type: exception, message: 'no' } },
      ...{ errorCode: '1009', message: 'no' },
    });
    expect(result.metrics?.algorithmMs).toBeGreaterThanOrEqual(0);
  }
});

test('a call without a session has the same one of its own at each attempt, which is not kept', async () => {
  const source = `from procvision_algorithm_sdk import BaseAlgorithm, RecoverableError
seen = []
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        seen.append([session.id, session.get("attempt")])
        session.set("attempt", len(seen))
        if len(seen) < 3:
            raise RecoverableError("not yet")
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": seen}}
`;
  const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
  await deployVersion(registry, { source });
  const { data, requestId, attempts } = await supervisor.execute({ target, stepIndex: 1, image });
  expect(attempts).toBe(3);
  expect(data.debug).toEqual([1, 2, 3].map(() => [requestId, null]));
});
