import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VenvManager } from '../../src/python/venv-manager.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { indexWheels } from '../support/index-wheels.js';

const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const shared = () => readdirSync('/dev/shm').filter((name) => /^(?:joblib_|sem\.|psm_)/.test(name));

/** Two processes of joblib, which get an array by a file in shared memory; then it hangs, or leaves. */
const SOURCE = `import os, time
import numpy
from joblib import Parallel, delayed
from procvision_algorithm_sdk import BaseAlgorithm


class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        array = numpy.ones(100_000)
        self.pool = Parallel(n_jobs=2, max_nbytes=1000)
        self.pool.__enter__()
        sums = self.pool(delayed(float)(part.sum()) for part in (array, array))
        mapped = self.pool(delayed(type)(array) for _ in range(2))
        if (user_params or {}).get("end") == "hangs":
            time.sleep(600)
        if (user_params or {}).get("end") == "leaves":
            os._exit(3)
        debug = {"sums": sums, "kinds": [kind.__name__ for kind in mapped]}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": debug}}
`;

describe.runIf(process.platform === 'linux')(
  'an algorithm that works with joblib leaves no process and nothing in shared memory, however it ends',
  () => {
    let store: TemporaryStore | undefined;

    beforeAll(async () => {
      const wheels = await indexWheels(['joblib==1.4.2', 'numpy==2.2.6']);
      if (!wheels) return;
      store = await TemporaryStore.open();
      const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': SOURCE };
      const requirements = 'procvision_algorithm_sdk\njoblib\nnumpy\n';
      const venvs = new VenvManager({ python: 'python3', installer: 'link' });
      await store.deployer({ venvs }).install(await store.deliver({ files, requirements, wheels }));
    }, 180_000);

    afterAll(() => store?.close());

    test.for(['auto', 'off'] as const)('with namespaces %s', async (namespaces, t) => {
      if (!store) return t.skip('there is no package index, or no wheel for this Python');
      const before = shared();
      const supervisor = store.supervise({ policy: { namespaces, retries: 0, maxRestarts: 9 } });
      const call = (end?: string, timeoutMs = 20_000) =>
        supervisor.execute({ target, stepIndex: 1, image, userParams: { end }, timeoutMs });
      expect((await call()).data.debug).toEqual({ sums: [100_000, 100_000], kinds: ['memmap', 'memmap'] });
      await expect(call('leaves')).rejects.toMatchObject({ code: 'worker_exited' });
      await expect(call('hangs', 5_000)).rejects.toMatchObject({ code: 'timeout' });
      await supervisor.close();
      await expect.poll(() => shared().filter((name) => !before.includes(name))).toEqual([]);
    });
  },
);
