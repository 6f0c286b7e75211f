/** On a machine with a GPU of NVIDIA: `npm run test:gpu`. The algorithm talks to its driver, so that no package is needed. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { TemporaryStore } from '../../src/testing/index.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const MIB = 1024 * 1024;

const { status, stdout } = spawnSync('nvidia-smi', ['--query-gpu=uuid', '--format=csv,noheader'], {
  encoding: 'utf8',
});
const missing = status === 0 && stdout.startsWith('GPU-') ? undefined : 'no nvidia-smi that tells of a GPU';

/** Allocates the MiB that a call asks for, and keeps them. */
const ALGORITHM = `import ctypes
from procvision_algorithm_sdk import BaseAlgorithm, GPUOutOfMemoryError

class Algorithm(BaseAlgorithm):
    def setup(self):
        self.cuda = ctypes.CDLL("nvcuda.dll" if __import__("os").name == "nt" else "libcuda.so.1")
        count = ctypes.c_int(0)
        self.good = self.cuda.cuInit(0) == 0 and self.cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
        self.count = count.value
        if self.good:
            self.context = ctypes.c_void_p()
            assert self.cuda.cuCtxCreate_v2(ctypes.byref(self.context), 0, 0) == 0
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": [{"index": 1, "name": "look"}]}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step, pid, session, params, shared_mem_id, meta):
        if self.good:
            self.cuda.cuCtxSetCurrent(self.context)
            place = ctypes.c_uint64()
            if self.cuda.cuMemAlloc_v2(ctypes.byref(place), ctypes.c_size_t(params["mib"] << 20)) == 2:
                raise GPUOutOfMemoryError("CUDA out of memory")
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": {"devices": self.count}}}
`;

describe.skipIf(missing !== undefined)(
  `a GPU of this machine${missing === undefined ? '' : ` (skipped: there is ${missing})`}`,
  () => {
    test('its memory by worker is in status(); without devices a worker sees none; a full one is gpu_oom', async () => {
      await using store = await TemporaryStore.open();
      await store.deploy({ source: ALGORITHM });
      const supervisor = store.supervise({ policy: { retries: 1 } });
      const call = (mib: number) =>
        supervisor.execute({ target, stepIndex: 1, image, userParams: { mib }, timeoutMs: 60_000 });
      expect((await call(256)).data.debug).toMatchObject({ devices: stdout.trim().split('\n').length });
      await expect
        .poll(() => supervisor.status()[0]?.gpuMemoryBytes, { timeout: 30_000 })
        .toBeGreaterThanOrEqual(256 * MIB);
      await expect(call(1 << 20)).rejects.toMatchObject({ code: 'gpu_oom', errorCode: '1004' });
      await supervisor.configure('sample', '1.0.0', { devices: [] });
      await supervisor.stop('sample', '1.0.0');
      expect((await call(1)).data.debug).toMatchObject({ devices: 0 });
    }, 180_000);
  },
);
